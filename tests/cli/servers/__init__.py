"""Servers that `kit check --url` is tried on: right ones, wrong ones, and some that are none."""
