"""`kit bench`: plan, load, records, analysis and report follow each other, as the data flows."""
