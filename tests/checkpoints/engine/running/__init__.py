"""How pytest makes the checks: several at once, each with one outcome."""
