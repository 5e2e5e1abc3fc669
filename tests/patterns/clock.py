"""A clock that a test sets."""


class Clock:
    """Seconds since the epoch, as the test says."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.read = 0

    def __call__(self) -> float:
        """Read it."""
        self.read += 1
        return self.now

    def pass_by(self, seconds: float) -> None:
        """Let time go by, or set the clock back."""
        self.now += seconds
