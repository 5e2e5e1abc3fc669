"""The agent: any callable `(prompt, report_progress) -> str`, and how it is run."""
