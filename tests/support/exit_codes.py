"""How a program ended, as a shell reports it."""


def as_a_shell_says(code: int) -> int:
    """The exit code, or 128 and the number of the signal that ended it.

    CPython ends a `python -m …` that was interrupted by SIGINT itself, even when it had caught the interrupt and exits
    with 130, if the interrupt came in an `exec` of a text (`dataclass` and `namedtuple` are made so): the flag
    `unhandled_keyboard_interrupt` is set there (run_eval_code_obj in Python/pythonrun.c). A shell says 130 of both.
    """
    return code if code >= 0 else 128 - code
