"""Examples of parameters in the OpenAPI document: everything that its type does not explain has one, and it works."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.api.examples.parameters import OF_OPERATIONS, PARAMETERS
from services.domain.catalogue import SensorKind
from services.embedded.database import EmbeddedDatabase
from tests.api_server import METER, STATION, new_key, register, say, serving, store

DOCUMENT = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text())
CITY = (
    replace(METER, road="Mill Street", direction="north"),
    replace(METER, id="IN-3", kind=SensorKind.DMA_INLET),
    replace(STATION, position_m=0.0),
    replace(STATION, id="T-2", position_m=500.0),
)
COMPANIONS: Mapping[str, Mapping[str, object]] = {
    "aggregate": {"bucket": "PT1H"},
    "compare": {"bucket": "PT1H"},
    "end": {"start": PARAMETERS["start"]},
    "longest_gap": {"bucket": "PT1H", "gaps": "hold"},
    "start": {"end": PARAMETERS["end"]},
}
"""Parameter -> what its description says that it needs beside it."""
SELECTING = {"sensor_id", "zone", "road"}
"""One of them says which sensors, where an operation has all three."""
LATEST: Mapping[str, Mapping[str, object]] = {"road": {"domain": "traffic"}, "sensor_id": {}}
"""Parameter of /v1/latest -> what it needs beside it; the others the domain of the example."""


def example_of(parameter: Mapping[str, Any]) -> Any:
    """A parameter's example, or None."""
    return parameter.get("example", next(iter(parameter["schema"].get("examples", [])), None))


def explained(parameter: Mapping[str, Any]) -> bool:
    """Whether its type says what can be sent: one of some words, a number, yes or no."""
    found = json.dumps(parameter["schema"])
    return any(word in found for word in ('"$ref"', '"integer"', '"number"', '"boolean"', '"enum"'))


def operations() -> list[Any]:
    """Path, verb and operation."""
    return [
        pytest.param(path, operation, id=f"{verb} {path}")
        for path, verbs in DOCUMENT["paths"].items()
        for verb, operation in verbs.items()
        if verb == "get" and not path.endswith("/stream") and operation.get("parameters")
    ]


@pytest.fixture(scope="module")
def reader(database_server: EmbeddedDatabase, migrated_template: str) -> Iterator[httpx.Client]:
    """An API that knows the sensors of the examples, and a client that may read."""
    url = database_server.clone(migrated_template)
    numbers = register(url, CITY)
    times = [datetime.now(UTC) - timedelta(hours=i) for i in range(5, 0, -1)]
    store(url, METER, numbers[METER.id], times, flow_litres_per_h=[1.0] * 5)
    say(url, subject=METER.id)
    with serving(url) as api, api.client(new_key(url, "read")) as client:
        yield client
    database_server.drop(url.rpartition("/")[2])


def test_what_a_type_does_not_explain_has_an_example() -> None:
    every = [
        (path, parameter)
        for path, verbs in DOCUMENT["paths"].items()
        for operation in verbs.values()
        for parameter in operation.get("parameters", ())
    ]
    missing = [
        (path, each["name"])
        for path, each in every
        if not explained(each) and example_of(each) is None
    ]
    assert missing == []
    assert PARAMETERS.keys() <= {each["name"] for _, each in every}
    assert OF_OPERATIONS.keys() <= {(path, each["name"]) for path, each in every}


def beside(path: str, name: str, examples: Mapping[str, Any]) -> Mapping[str, object]:
    """What a parameter needs beside it, going by the operation's words."""
    if path == "/v1/latest":
        return LATEST.get(name, {"domain": "water"})
    if name == "direction":
        return {"road": examples["road"]}
    needed = COMPANIONS.get(name, {})
    if examples.keys() >= SELECTING and name not in SELECTING:
        return {**needed, "sensor_id": examples["sensor_id"]}
    return needed


@pytest.mark.parametrize(("path", "operation"), operations())
def test_examples_work(reader: httpx.Client, path: str, operation: dict[str, Any]) -> None:
    """Each by itself, with what it needs; what only the document's city has is not found, which is no fault."""
    parameters: dict[str, dict[str, Any]] = {"path": {}, "query": {}, "header": {}}
    needed = {}
    for each in operation["parameters"]:
        if (example := example_of(each)) is not None:
            parameters[each["in"]][each["name"]] = example
            if each["in"] == "query" and each.get("required"):
                needed[each["name"]] = example
    in_path, in_query = parameters["path"], parameters["query"]
    address = path.format(**in_path)
    expected = {200, 206} | ({404} if in_path.keys() - {"sensor_id"} else set())
    asked = [
        ({**needed, **beside(path, name, in_query), name: in_query[name]}, {}) for name in in_query
    ]
    asked += [(needed, {name: text}) for name, text in parameters["header"].items()]
    for query, headers in asked or [(needed, {})]:
        answer = reader.get(address, params=query, headers=headers)
        assert answer.status_code in expected, (query, headers, answer.text)
