"""SIGTERM: running tasks finish first."""

from pathlib import Path

from patterns.cli.copying.service.tests.serving import PATIENCE_SECONDS, serving


def test_a_stop_lets_a_running_task_finish(tmp_path: Path) -> None:
    with serving(tmp_path, KIT_AGENT_STEPS="20", KIT_AGENT_STEP_SECONDS="0.05", KIT_GRACE_SECONDS="20") as service:
        task_id = service.accepted("compare the vendors")
        service.until(task_id, "running")
        process = service.workers[0] if service.workers else service.web

        process.terminate()

        assert service.until(task_id, "completed")["result"]
        process.wait(PATIENCE_SECONDS)
