"""Callbacks: what is sent, how an attempt is made and judged, and where it may not go."""
