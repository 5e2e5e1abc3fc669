"""The nine sections of a report, each made from `Findings`."""
