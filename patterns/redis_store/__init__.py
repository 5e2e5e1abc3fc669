"""Task records, the outbox of callbacks, and counters in Redis, shared by web processes and workers."""
