"""The processes beneath a check: the fork server, what a fork becomes, Redis, and how long to wait for them."""
