"""What a run will measure: the contenders, the offered load, and the order of the trials."""
