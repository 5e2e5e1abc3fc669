"""The trials: real servers under load, and what they and the machine use meanwhile."""
