"""The processes of a check: the fork server, what a fork runs, Redis, and how long to wait for them."""
