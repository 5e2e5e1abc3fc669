"""The HTTP contract, on the running service."""

import httpx

from patterns import CELERY_QUEUE as PATTERN
from patterns.cli.copying.service.tests.serving import Service


def test_submit_answers_202_before_the_work_is_done(small: Service) -> None:
    response = small.submit("compare the vendors")
    assert response.status_code == 202
    task_id = response.json()["task_id"]
    assert response.headers["location"] == f"/agent/status/{task_id}"
    assert response.headers["retry-after"] == "2"
    assert small.task(task_id)["status"] in {"pending", "running"}
    assert small.cancel(task_id).status_code == 200


def test_polling_leads_to_the_result(service: Service) -> None:
    task = service.until(service.accepted("compare the vendors"), "completed")
    assert task["progress"] == 100
    assert task["result"]
    assert task["error"] is None
    assert task["created_at"] <= task["started_at"] <= task["finished_at"]


def test_a_long_poll_is_held_until_the_outcome(service: Service) -> None:
    task_id = service.accepted("compare the vendors")
    response = service.http.get(f"/agent/status/{task_id}", headers={"Prefer": "wait=20"})
    assert response.headers["preference-applied"] == "wait=20"
    assert response.json()["status"] == "completed"


def test_an_agent_that_raises_fails_its_task(service: Service) -> None:
    task = service.until(service.accepted("fail: on purpose"), "failed")
    assert task["error"]["code"] == "agent_error"
    assert task["result"] is None


def test_an_unknown_id_gives_404(service: Service) -> None:
    for response in (service.http.get("/agent/status/unknown"), service.cancel("unknown")):
        assert_problem(response, 404)


def test_an_invalid_body_gives_422(service: Service) -> None:
    assert_problem(service.submit(""), 422)
    assert_problem(service.submit("compare", unknown="field"), 422)


def test_the_same_key_gives_the_same_task_and_no_other_body(service: Service) -> None:
    first, again = (service.submit("compare the vendors", key="one-key") for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["task_id"] == again.json()["task_id"]
    assert_problem(service.submit("compare something else", key="one-key"), 422)


def test_a_running_task_can_be_cancelled_twice(small: Service) -> None:
    task_id = small.accepted("compare the vendors")
    small.until(task_id, "running")
    for _ in range(2):
        response = small.cancel(task_id)
        assert (response.status_code, response.json()["status"]) == (200, "cancelled")


def test_a_completed_task_cannot_be_cancelled(service: Service) -> None:
    task_id = service.accepted("compare the vendors")
    service.until(task_id, "completed")
    assert_problem(service.cancel(task_id), 409)


def test_a_full_queue_gives_503_and_takes_tasks_again_when_it_has_room(small: Service) -> None:
    accepted = [small.accepted("compare the vendors") for _ in range(2)]
    response = small.submit("one too many")
    assert_problem(response, 503)
    assert int(response.headers["retry-after"]) >= 1
    for task_id in accepted:
        assert small.cancel(task_id).status_code == 200
    assert small.cancel(small.accepted("there is room")).status_code == 200


def test_health_names_the_pattern(service: Service) -> None:
    response = service.http.get("/health")
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "pattern": PATTERN.name}


def assert_problem(response: httpx.Response, status: int) -> None:
    """The response is an error as in RFC 9457."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == status
    assert response.json()["title"]
    assert response.json()["detail"]
