"""The OpenAPI document: current in docs/, complete, and true of the answers."""

import json
import re
from datetime import datetime
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


def spoken(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Name and content of every body and of every good answer in each of its forms, files of bytes left out."""
    found = []
    for name, operation in operations(document):
        said = {"body": operation.get("requestBody", {})} | {
            status: answer
            for status, answer in operation["responses"].items()
            if status.startswith("2")
        }
        found += [
            (f"{name} {what} {media_type}", content)
            for what, each in said.items()
            for media_type, content in each.get("content", {}).items()
            if content["schema"].get("format") != "binary"
        ]
    return found


def example_of(document: dict[str, Any], content: dict[str, Any]) -> Any:
    """Its own example, or else that of its model."""
    if "example" in content:
        return content["example"]
    model = content["schema"].get("$ref", "").rpartition("/")[2]
    return document["components"]["schemas"].get(model, {}).get("examples", [None])[0]


def test_every_body_and_every_answer_has_an_example_that_is_true(document: dict[str, Any]) -> None:
    formats = jsonschema.FormatChecker(["uuid", "date"])
    formats.checks("date-time", ValueError)(
        lambda text: not isinstance(text, str) or datetime.fromisoformat(text).tzinfo is not None
    )
    found = spoken(document)
    assert len(found) > 90
    for name, content in found:
        example = example_of(document, content)
        assert example, name
        schema = {**content["schema"], "components": document["components"]}
        jsonschema.Draft202012Validator(schema, format_checker=formats).validate(example)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = set(re.findall(r'"\$ref": "([^"]*)"', json.dumps(document)))
    schemas = document["components"]["schemas"]
    assert len(references) > 50
    assert references <= {f"#/components/schemas/{name}" for name in schemas}
