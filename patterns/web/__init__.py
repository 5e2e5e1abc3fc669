"""The HTTP layer that all patterns share: routes, problems, limits, and the web process."""
