"""Callbacks: the payload, one attempt to deliver it, and the addresses that are refused."""
