"""The OpenAPI document. That each answer is in it is checked in every test, by `tests/support/openapi.py`."""

from tests.support.serving import Json, Served


def test_the_contract_has_the_same_routes_everywhere(quick: Served) -> None:
    routes = {(method.upper(), path) for path, methods in quick.openapi.document["paths"].items() for method in methods}

    assert routes >= {
        ("POST", "/agent/submit"),
        ("GET", "/agent/status/{task_id}"),
        ("GET", "/agent/events/{task_id}"),
        ("POST", "/agent/cancel/{task_id}"),
        ("GET", "/health"),
    }


def test_every_error_is_documented_as_a_problem(quick: Served) -> None:
    for path, methods in quick.openapi.document["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    assert list(answer["content"]) == ["application/problem+json"], f"{method} {path} {status}"


def test_the_answers_of_the_contract_are_documented(quick: Served) -> None:
    assert {"202", "413", "422", "503"} <= set(quick.openapi.answers("POST", "/agent/submit") or {})
    assert {"200", "304", "404"} <= set(quick.openapi.answers("GET", "/agent/status/x") or {})
    assert {"200", "204", "404", "503"} <= set(quick.openapi.answers("GET", "/agent/events/x") or {})
    assert {"200", "404", "409"} <= set(quick.openapi.answers("POST", "/agent/cancel/x") or {})
    assert {"200", "503"} <= set(quick.openapi.answers("GET", "/health") or {})


def test_the_headers_of_the_contract_are_documented(quick: Served) -> None:
    def headers(method: str, path: str, status: str) -> set[str]:
        answers: Json = quick.openapi.answers(method, path) or {}
        return set(answers[status].get("headers", {}))

    assert headers("POST", "/agent/submit", "202") >= {"Location", "Retry-After"}
    assert headers("POST", "/agent/submit", "503") >= {"Retry-After"}
    assert headers("GET", "/agent/status/x", "200") >= {"ETag", "Retry-After", "Preference-Applied"}


def test_the_body_of_submit_is_documented_as_it_is_checked(quick: Served) -> None:
    document = quick.openapi.document
    operation = document["paths"]["/agent/submit"]["post"]
    name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    schema = document["components"]["schemas"][name]

    assert set(schema["required"]) == set(quick.body())
    assert schema["additionalProperties"] is False


def test_an_event_is_documented_as_a_task(quick: Served) -> None:
    content = (quick.openapi.answers("GET", "/agent/events/x") or {})["200"]["content"]
    (media_type,) = content
    models = content[media_type]["itemSchema"]["properties"]["data"]["contentSchema"]["anyOf"]

    assert media_type == "text/event-stream"
    for model in models:
        name = model["$ref"].removeprefix("#/components/schemas/")
        assert {"task_id", "message"} <= set(quick.openapi.document["components"]["schemas"][name]["properties"])


def test_the_documentation_page_is_served(quick: Served) -> None:
    answer = quick.http.get("/docs")

    assert answer.status_code == 200
    assert "/openapi.json" in answer.text
