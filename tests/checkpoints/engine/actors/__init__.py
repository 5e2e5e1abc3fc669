"""Who takes part in a check: HTTP clients and scripted servers, the held agent, the learner's app and workers."""
