"""The commands: `kit patterns`, `kit serve`, `kit submit`, `kit copy`."""
