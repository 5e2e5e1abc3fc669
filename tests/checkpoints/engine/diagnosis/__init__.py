"""What was observed in a check and what it means: outcomes, the timeline, the learner's output, the report."""
