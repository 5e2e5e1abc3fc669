"""What a run measures: the contenders, the load, and the order of its trials."""
