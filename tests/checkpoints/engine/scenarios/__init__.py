"""Situations that the checks of one exercise share: a full queue, a crash, a receiver that is away."""
