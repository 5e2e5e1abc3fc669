"""A user's own agent: a plain function, so the patterns with an event loop run it in a thread."""

import logging
import time

from patterns.agents.running import ReportProgress


def five_steps(prompt: str, report_progress: ReportProgress) -> str:
    """Work for a tenth of a second at least, or fail, or go on until the task is cancelled, as the prompt says."""
    logging.getLogger("my_agent").info("I begin")
    step = 0
    while step < 5:
        time.sleep(0.02)
        report_progress(20 * step)
        if prompt.startswith("fail:"):
            raise RuntimeError("it was told to fail")
        if not prompt.startswith("hang:"):
            step += 1
    return f"done: {prompt}"
