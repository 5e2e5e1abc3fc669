"""What Prometheus would scrape from a server."""

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.support.serving import Served
from tests.support.waiting import eventually


class Scrape:
    """One answer of `/metrics`, read by the reference parser."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self.samples = [sample for family in self.families.values() for sample in family.samples]

    def total(self, name: str, **labels: str) -> float:
        """The sum of all samples of this name that have these labels."""
        found = [
            sample.value for sample in self.samples if sample.name == name and labels.items() <= sample.labels.items()
        ]
        assert found, f"there is no {name} with {labels} in\n{self.text}"
        return sum(found)

    @property
    def process(self) -> str:
        """The process that answered."""
        (process,) = {sample.labels["process"] for sample in self.samples if sample.name == "longjobs_submits_total"}
        return process


def scrape(served: Served) -> Scrape:
    """Scrape once, over a new connection: if web processes share an address, any of them answers."""
    with served.connect() as http:
        answer: httpx.Response = http.get("/metrics")
    assert answer.status_code == 200, answer.text
    return Scrape(answer.text)


def scrape_all(served: Served) -> dict[str, Scrape]:
    """A scrape of each web process, by its id."""
    wanted = {str(child.pid) for child in served.running.web}
    found: dict[str, Scrape] = {}

    def ask() -> set[str]:
        one = scrape(served)
        found[one.process] = one
        return set(found)

    eventually(ask, lambda seen: seen == wanted)
    return found


def submits(served: Served) -> dict[str, float]:
    """How many submits were answered in which way, by all web processes together."""
    scrapes = scrape_all(served).values()
    answers = {s.labels["answer"] for one in scrapes for s in one.samples if s.name == "longjobs_submits_total"}
    return {answer: sum(one.total("longjobs_submits_total", answer=answer) for one in scrapes) for answer in answers}
