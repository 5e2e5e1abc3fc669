"""Task records, callbacks and counters in Redis, shared by web processes and workers."""
