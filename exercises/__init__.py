"""The course: what a learner edits, and the commands that lead through it."""
