"""What the patterns survive: scenarios in which something breaks."""
