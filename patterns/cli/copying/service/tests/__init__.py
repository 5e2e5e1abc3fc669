"""The tests: the service is started as in production, and asked over HTTP."""
