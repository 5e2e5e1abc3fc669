"""The polling client, against scripted and real servers."""
