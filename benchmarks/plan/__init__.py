"""What a run is to measure: the contenders, the load, and the order of the trials. Nothing runs here but a check."""
