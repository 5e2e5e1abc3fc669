"""The names of the keys in Redis."""

from patterns.tasks.store import fingerprint


class Keys:
    """The names of all keys and channels that the kit uses in Redis. All start with the prefix."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        #: A sorted set: the unfinished tasks, scored by when the message of each was last sent.
        self.unfinished = f"{prefix}unfinished"
        #: A hash: the prompts of the unfinished tasks, so that a lost message can be sent again.
        self.prompts = f"{prefix}prompts"
        #: A sorted set: the workers, scored by the last heartbeat.
        self.workers = f"{prefix}workers"
        #: A channel: the ids of tasks that have just finished.
        self.finished_channel = f"{prefix}finished"
        #: A channel: the ids of unfinished tasks that have just changed.
        self.changed_channel = f"{prefix}changed"
        #: A set: the unfinished tasks that were started.
        self.running = f"{prefix}running"
        #: A hash: the counters of tasks and deliveries.
        self.counters = f"{prefix}counters"
        #: A sorted set: the tasks whose outcome is to be delivered, scored by when the next attempt is due.
        self.outbox = f"{prefix}outbox"
        #: A sorted set: the tasks whose delivery was given up, scored by when that was.
        self.dead_letters = f"{prefix}dead-letters"

    def record(self, task_id: str) -> str:
        """The hash of one task."""
        return f"{self._prefix}task:{task_id}"

    def history(self, task_id: str) -> str:
        """A list: the changes of one task before its outcome."""
        return f"{self._prefix}history:{task_id}"

    def idempotency(self, key: str) -> str:
        """The hash with the task of an Idempotency-Key."""
        return f"{self._prefix}key:{fingerprint(key).hex()}"
