"""The HTTP side that all patterns share: routes, problems, limits, and the web process."""
