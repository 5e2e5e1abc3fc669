"""From the files of a run to its findings: pure functions."""
