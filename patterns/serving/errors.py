"""What callers of `serving` have to expect beside `ProcessFailed`."""


class CannotServe(Exception):
    """The request itself cannot be served: a wrong combination of options, or a port in use.

    The message is one line that says why, and what to do.
    """
