"""A task's record, the store that keeps it, and its run from pending to finished."""
