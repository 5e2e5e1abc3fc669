"""The parties in a check: the learner's app, its client and its workers, the held agent, a server with a URL."""
