"""One trace from submit to the delivered outcome, as a collector receives it from every process."""

import secrets

import pytest

from tests.observability.collector import Collector, Span
from tests.observability.test_logs import until_said
from tests.support.callback_receiver import CallbackReceiver
from tests.support.serving import Served
from tests.support.waiting import eventually

Trace = dict[str, list[Span]]


class Client:
    """A client that traces too: it sends the ids of its own span along."""

    def __init__(self, served: Served, collector: Collector) -> None:
        self.served = served
        self.trace_id, self.span_id = secrets.token_hex(16), secrets.token_hex(8)
        self._collector = collector

    def submit(self, prompt: str = "compare the vendors", **more: str) -> str:
        """The id of an accepted task."""
        headers = {"traceparent": f"00-{self.trace_id}-{self.span_id}-01"}
        answer = self.served.http.post("/agent/submit", json=self.served.body(prompt, **more), headers=headers)
        assert answer.status_code == 202, answer.text
        task_id = str(answer.json()["task_id"])
        self.served.submitted.append(task_id)
        return task_id

    def trace(self, *names: str) -> Trace:
        """The spans of the trace, once all of these have arrived."""
        return eventually(lambda: self._collector.trace(self.trace_id), lambda trace: set(names) <= set(trace))


def above(span: Span, trace: Trace) -> list[str]:
    """The ids of the spans above a span, up to the first that is not ours. FastAPI may put its own spans in between."""
    known = {span.span_id: span for spans in trace.values() for span in spans}
    ids = [span.parent_id]
    while ids[-1] in known:
        ids.append(known[ids[-1]].parent_id)
    return ids


@pytest.fixture
def client(served: Served, collector: Collector) -> Client:
    """A client of each pattern in turn."""
    return Client(served, collector)


def test_one_trace_goes_from_the_client_through_submit_to_the_run(client: Client) -> None:
    task_id = client.submit()
    client.served.outcome(task_id)

    trace = client.trace("submit", "wait", "run")

    (submit,), (wait,), (run,) = trace["submit"], trace["wait"], trace["run"]
    eventually(lambda: above(submit, client.trace()), lambda ids: ids[-1] == client.span_id)
    assert {wait.parent_id, run.parent_id} == {submit.span_id}
    assert (submit.kind, wait.kind, run.kind) == ("PRODUCER", "INTERNAL", "CONSUMER")
    assert not any((submit.failed, wait.failed, run.failed))


def test_each_log_line_of_a_task_has_its_trace_id(client: Client) -> None:
    task_id = client.submit()
    client.served.outcome(task_id)

    lines = {line["message"]: line for line in until_said(client.served, task_id, "finished")}
    trace = client.trace("submit", "run")
    assert {lines[said]["trace_id"] for said in ("accepted", "I begin", "finished")} == {client.trace_id}
    assert {lines[said]["span_id"] for said in ("I begin", "finished")} == {span.span_id for span in trace["run"]}


def test_each_span_has_the_task_and_the_pattern(client: Client) -> None:
    task_id = client.submit()
    client.served.outcome(task_id)

    trace = client.trace("submit", "wait", "run")
    for (span,) in (trace["submit"], trace["wait"], trace["run"]):
        assert span.attributes["longjobs.task_id"] == task_id
        assert span.attributes["longjobs.pattern"] == client.served.pattern.name
        assert span.service == "longjobs"


def test_the_wait_ends_where_the_run_begins(client: Client) -> None:
    first = client.submit("hang: until it is cancelled")
    client.served.until(first, "running")
    behind = Client(client.served, client._collector)
    second = behind.submit()
    client.served.cancel(first)
    client.served.outcome(second)

    trace = behind.trace("submit", "wait", "run")

    (submit,), (wait,), (run,) = trace["submit"], trace["wait"], trace["run"]
    assert submit.start <= wait.start <= wait.end <= run.start < run.end
    assert run.end - run.start >= 0.09e9  # five steps of 0.02 s


def test_a_submit_ends_with_its_answer_and_not_with_its_task(client: Client) -> None:
    task_id = client.submit("hang: until it is cancelled")
    client.served.until(task_id, "running")

    (submit,) = client.trace("submit")["submit"]

    assert submit.attributes["longjobs.task_id"] == task_id
    assert client.served.task(task_id)["status"] == "running"
    client.served.cancel(task_id)


def test_how_a_task_ends_is_in_its_run(client: Client) -> None:
    failed = Client(client.served, client._collector)
    client.served.outcome(client.submit())
    client.served.outcome(failed.submit("fail: as told"))

    (well,), (badly,) = client.trace("run")["run"], failed.trace("run")["run"]

    assert (well.attributes["longjobs.state"], well.failed) == ("completed", False)
    assert (badly.attributes["longjobs.state"], badly.failed) == ("failed", True)


def test_a_submit_that_is_refused_ends_there(client: Client) -> None:
    headers = {"traceparent": f"00-{client.trace_id}-{client.span_id}-01"}
    client.served.http.post("/agent/submit", json={"promt": "hello"}, headers=headers)

    (submit,) = client.trace("submit")["submit"]

    assert submit.attributes["http.response.status_code"] == 422
    assert submit.failed


def test_without_a_traceparent_a_new_trace_begins(served: Served, collector: Collector) -> None:
    task_id = served.accept()
    served.outcome(task_id)

    def spans() -> list[Span]:
        return [span for span in list(collector.spans) if span.attributes.get("longjobs.task_id") == task_id]

    found = eventually(spans, lambda spans: {"submit", "wait", "run"} <= {span.name for span in spans})
    (trace_id,) = {span.trace_id for span in found}
    (submit,) = [span for span in found if span.name == "submit"]
    eventually(lambda: above(submit, collector.trace(trace_id)), lambda ids: ids[-1] == "")


def test_the_callback_continues_the_trace_at_its_receiver(
    caller: Served, collector: Collector, callbacks: CallbackReceiver
) -> None:
    client = Client(caller, collector)
    task_id = client.submit(callback_url=callbacks.url)
    client.served.until_delivery(task_id)

    trace = client.trace("submit", "run", "deliver")

    (submit,), (deliver,) = trace["submit"], trace["deliver"]
    assert deliver.parent_id == submit.span_id
    (attempt,) = [seen for seen in callbacks.seen() if seen.headers["webhook-id"] == f"msg_{task_id}"]
    assert attempt.headers["traceparent"] == f"00-{client.trace_id}-{deliver.span_id}-01"
    assert (deliver.kind, deliver.failed) == ("CLIENT", False)
    assert deliver.attributes["longjobs.task_id"] == task_id
    assert deliver.attributes["http.response.status_code"] == 204


def test_each_delivery_attempt_is_a_span(caller: Served, collector: Collector) -> None:
    client = Client(caller, collector)
    task_id = client.submit(callback_url="http://127.0.0.1:9/nobody")
    client.served.until_delivery(task_id, "dead")

    attempts = eventually(lambda: client.trace("deliver")["deliver"], lambda spans: len(spans) == 2)

    assert all(span.failed for span in attempts)
