"""`kit bench`, a pipeline: plan, load, records, analysis, report."""
