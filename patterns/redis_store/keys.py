"""The names of everything that the kit keeps in Redis."""

from patterns.tasks.store import fingerprint


class Keys:
    """The names of everything the kit keeps in Redis. All begin with the prefix."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        #: The unfinished tasks, by when the message of each was first sent, or sent again.
        self.unfinished = f"{prefix}unfinished"
        #: What they were submitted with, so that a lost message can be sent again.
        self.prompts = f"{prefix}prompts"
        self.workers = f"{prefix}workers"
        self.finished_channel = f"{prefix}finished"
        #: The unfinished tasks that were started.
        self.running = f"{prefix}running"
        self.counters = f"{prefix}counters"
        #: The tasks whose outcome is still to be delivered, by when the next attempt is due.
        self.outbox = f"{prefix}outbox"
        #: Those whose delivery was given up, by when it was.
        self.dead_letters = f"{prefix}dead-letters"

    def record(self, task_id: str) -> str:
        """The hash of one task."""
        return f"{self._prefix}task:{task_id}"

    def idempotency(self, key: str) -> str:
        """The hash that says which task an Idempotency-Key gave."""
        return f"{self._prefix}key:{fingerprint(key).hex()}"
