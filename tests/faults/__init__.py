"""What the patterns survive: stories in which something breaks."""
