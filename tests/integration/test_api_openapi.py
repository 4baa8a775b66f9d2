"""The OpenAPI document: current in docs/, complete, and true of the answers."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from services.api.app import create_app
from services.api.settings import ApiSettings

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    app = create_app(ApiSettings(), "postgresql://nobody@127.0.0.1/none")
    return app.openapi()


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{verb} {path}", operation)
        for path, verbs in document["paths"].items()
        for verb, operation in verbs.items()
    ]


def test_the_committed_document_is_current(document: dict[str, Any]) -> None:
    assert json.loads(DOCUMENT.read_text()) == json.loads(json.dumps(document)), (
        "run: .venv/bin/citygauge reference docs"
    )


def test_every_operation_and_parameter_is_described(document: dict[str, Any]) -> None:
    found = operations(document)
    assert len(found) > 20
    for name, operation in found:
        assert operation["summary"], name
        assert operation["description"], name
        for parameter in operation.get("parameters", []):
            described = parameter.get("description") or parameter["schema"].get("description")
            assert described or parameter["name"] == "alert_id", (name, parameter["name"])


def test_every_error_is_a_problem(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, answer in operation["responses"].items():
            if status.startswith(("4", "5")):
                assert list(answer["content"]) == ["application/problem+json"], (name, status)
        if " /v1/" in name and name != "delete /v1/session":
            assert {"401", "500", "503"} <= set(operation["responses"]), name


def test_every_field_is_described(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        for field, part in schema.get("properties", {}).items():
            assert part.get("description"), f"{name}.{field}"


def test_examples_are_what_the_models_say(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    with_example = {name for name, schema in schemas.items() if schema.get("examples")}
    assert {"AlertDetail", "SensorPage", "ReadingColumns", "Problem", "Resolve"} <= with_example
    for name in with_example:
        schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}}
        for example in schemas[name]["examples"]:
            jsonschema.validate(example, schema)


HISTORY = ("/v1/readings", "/v1/latest", "/v1/consumption", "/v1/roads/", "/v1/zones/", "/readings")


def test_every_text_form_of_history_has_an_example_that_is_true(document: dict[str, Any]) -> None:
    seen = 0
    for path, verbs in document["paths"].items():
        if not path.startswith(HISTORY) and not path.endswith(HISTORY):
            continue
        for media_type, content in verbs["get"]["responses"]["200"]["content"].items():
            if content["schema"].get("format") == "binary":
                continue
            assert content["example"], (path, media_type)
            schema = {**content["schema"], "components": document["components"]}
            jsonschema.validate(content["example"], schema)
            seen += 1
    assert seen >= 20
