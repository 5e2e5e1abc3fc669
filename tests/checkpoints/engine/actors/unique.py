"""Short unique labels for tasks. With random labels, two of the 41 tasks of exercise 1 had the same in 1 of 80 runs."""

import itertools
import secrets

#: Multiples of an odd number go through all labels of a length before any repeats. This number also makes neighbours
#: look different (Knuth, The Art of Computer Programming, volume 3, section 6.4: the golden ratio).
_ODD = 0x9E3779B1
_numbers = itertools.count(secrets.randbits(32))  # safe to share between threads


def unique_hex(digits: int) -> str:
    """This many hexadecimal digits, different from all earlier results."""
    return f"{next(_numbers) * _ODD % 16**digits:0{digits}x}"
