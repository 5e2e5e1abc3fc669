"""Tests of the stub model and of the agent that asks a language model."""
