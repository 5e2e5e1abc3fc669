"""The error of `serving` for invalid options. `processes` has `ProcessFailed`."""


class CannotServe(Exception):
    """The pattern cannot be served as requested: options that exclude each other, or a port in use.

    The message is one line that says why, and what to do.
    """
