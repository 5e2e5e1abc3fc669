"""Load scripts, the comparison, its statistics and its report."""
