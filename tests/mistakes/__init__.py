"""Wrong solutions, each with the diagnosis that its checkpoint must give."""
