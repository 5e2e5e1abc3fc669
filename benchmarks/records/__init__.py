"""The files of a run: samples, callbacks, and `run.json`."""
