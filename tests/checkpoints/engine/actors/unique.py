"""Short marks that tell tasks apart. At random, two of the 41 tasks of exercise 1 had the same in one check of 80."""

import itertools
import secrets

#: An odd number: multiples of it, in turn, go through all marks of a length before one comes again. This one also makes
#: neighbours look unlike (Knuth, The Art of Computer Programming, volume 3, section 6.4: the golden ratio).
_ODD = 0x9E3779B1
_numbers = itertools.count(secrets.randbits(32))  # which threads may share


def unique_hex(digits: int) -> str:
    """So many hexadecimal digits, unlike those given before."""
    return f"{next(_numbers) * _ODD % 16**digits:0{digits}x}"
