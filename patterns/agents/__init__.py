"""The agent, any callable `(prompt, report_progress) -> str`: loading it, running it, and a simulated agent."""
