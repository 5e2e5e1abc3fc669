"""How pytest runs the checks: several at once, each with one outcome."""
