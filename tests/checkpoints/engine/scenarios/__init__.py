"""Situations that the checks of one exercise share: a full queue, a task that hangs, a crash."""
