"""From the files of a run to what they show: pure functions."""
