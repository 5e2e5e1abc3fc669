"""The report of a run, from `Findings` alone: HTML, Markdown, and the terminal."""
