"""A client generated from docs/openapi.json alone: what reads is asked, what is posted is posted as its example.

Every answer is as the document tells.
"""

import json
import keyword
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import jsonschema
import pytest

from services.domain.catalogue import SensorKind
from services.domain.sensor import Sensor
from services.embedded.database import EmbeddedDatabase
from tests.api_server import METER, Api, new_key, register, say, serving, store
from tests.waiting import PATIENCE_S

DOCUMENT = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text())
ROAD = [
    Sensor(
        f"T-{i}", SensorKind.TRAFFIC_STATION, road="M-30", direction="north", position_m=500.0 * i
    )
    for i in range(2)
]
INLET = Sensor("IN-1", SensorKind.DMA_INLET, zone=METER.zone, time_zone=METER.time_zone)
KNOWN = {"sensor_id": METER.id, "zone": METER.zone, "road": "M-30", "direction": "north"}
"""What a person would fill in for parameters that are required."""


def generated(document: dict[str, Any]) -> str:
    """Source of a client: a method for each operation, its parameters as keywords, required ones without a default."""
    lines = [
        "class Generated:",
        "    def __init__(self, http):",
        "        self._http = http",
        "    def _ask(self, verb, path, query, headers, body=None):",
        "        given = {k: v for k, v in query.items() if v is not None}",
        "        named = {k: v for k, v in headers.items() if v is not None}",
        "        return self._http.request(verb, path, params=given, headers=named, json=body)",
    ]
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            sent = operation.get("requestBody")
            parameters = operation.get("parameters", [])
            signature = [
                name_of(p["name"]) if p.get("required") else f"{name_of(p['name'])}=None"
                for p in sorted(parameters, key=lambda p: not p.get("required"))
            ]
            if sent:
                signature.append("body" if sent.get("required") else "body=None")
            query = {p["name"] for p in parameters if p["in"] == "query"}
            headers = {p["name"] for p in parameters if p["in"] == "header"}
            address = re.sub(r"\{(\w+)\}", lambda m: "{" + name_of(m[1]) + "}", path)
            lines += [
                f"    def {operation['operationId']}(self, *, {', '.join(signature)}):"
                if signature
                else f"    def {operation['operationId']}(self):",
                f"        return self._ask({verb.upper()!r}, f{address!r}, {filled(query)}, {filled(headers)}"
                + (", body)" if sent else ")"),
            ]
    return "\n".join(lines) + "\n"


def filled(names: set[str]) -> str:
    return "{" + ", ".join(f"{name!r}: {name_of(name)}" for name in sorted(names)) + "}"


def name_of(name: str) -> str:
    plain = re.sub(r"\W", "_", name).lower()
    return f"{plain}_" if keyword.iskeyword(plain) else plain


@pytest.fixture(scope="module")
def served(database_server: EmbeddedDatabase, migrated_template: str) -> Iterator[Api]:
    """An API with a zone, a road and an alert."""
    url = database_server.clone(migrated_template)
    numbers = register(url, [METER, INLET, *ROAD])
    now = datetime.now(UTC)
    times = [now - timedelta(minutes=i) for i in range(60, 0, -1)]
    for sensor in (METER, INLET):
        store(url, sensor, numbers[sensor.id], times, flow_litres_per_h=[1.0] * 60)
    for sensor in ROAD:
        store(url, sensor, numbers[sensor.id], times, speed_km_per_h=[80.0] * 60)
    say(url)
    with serving(url) as api:
        yield api
    database_server.drop(url.rpartition("/")[2])


@pytest.fixture(scope="module")
def client(served: Api) -> Iterator[Any]:
    """The generated client."""
    module = ModuleType("generated")
    exec(compile(generated(DOCUMENT), "generated.py", "exec"), module.__dict__)
    with httpx.Client(
        base_url=served.url,
        headers={
            "Authorization": f"Bearer {new_key(served.database_url, 'admin', name='generated')}"
        },
        timeout=PATIENCE_S,
        trust_env=False,
    ) as http:
        yield module.Generated(http)  # type: ignore[attr-defined]


def reading_operations() -> list[Any]:
    """Operations that read and end, and whose required parameters a person could fill in from what there is."""
    found = []
    for path, verbs in DOCUMENT["paths"].items():
        operation = verbs.get("get")
        if operation is None or path.endswith("/stream"):
            continue
        required = {p["name"] for p in operation.get("parameters", []) if p.get("required")}
        if required <= set(KNOWN):
            asked = required | ({"direction"} if "/roads/" in path else set())
            if path in {"/v1/readings", "/v1/consumption"}:
                asked |= {"zone"}
            extra = {"domain": "water"} if path == "/v1/latest" else {}
            found.append(pytest.param(path, operation, asked, extra, id=path))
    return found


@pytest.mark.parametrize(("path", "operation", "asked", "extra"), reading_operations())
def test_the_generated_client_reads(
    client: Any, path: str, operation: dict[str, Any], asked: set[str], extra: dict[str, str]
) -> None:
    given = {name: KNOWN[name] for name in asked} | extra
    answer = getattr(client, operation["operationId"])(**given)
    assert answer.status_code == 200, (path, answer.text)
    check(operation, answer)


def check(operation: dict[str, Any], answer: httpx.Response) -> None:
    """The answer is one of those that the document names, and of their form."""
    media_type = answer.headers["content-type"].partition(";")[0]
    content = operation["responses"][str(answer.status_code)]["content"]
    assert media_type in content
    if media_type == "application/json":
        schema = {**content[media_type]["schema"], "components": DOCUMENT["components"]}
        jsonschema.validate(answer.json(), schema)


def test_many_operations_were_asked() -> None:
    assert len(reading_operations()) >= 20


SOON = (datetime.now(UTC) + timedelta(days=1)).isoformat()
ELSEWHERE = {"/v1/rules/previews", "/v1/rejected/replay"}
"""What the API has others do, who are not here: it says so with 501."""


def example_of(content: dict[str, Any]) -> Any:
    """The example of a body or an answer: its own, or else its model's."""
    model = content["schema"].get("$ref", "").rpartition("/")[2]
    of_model = DOCUMENT["components"]["schemas"].get(model, {}).get("examples", [None])
    return content.get("example", of_model[0])


def body_of(operation: dict[str, Any]) -> dict[str, Any]:
    """The example that is to be posted; its times are moved to today, since they are about what is to come."""
    example = dict(example_of(operation["requestBody"]["content"]["application/json"]))
    example.pop("starts_at", None)
    return example | {name: SOON for name in ("until", "ends_at") if name in example}


def posting(under: str = "/v1/") -> list[Any]:
    """Path and operation of what takes a body, of those whose path begins so."""
    return [
        pytest.param(path, verbs["post"], id=path)
        for path, verbs in DOCUMENT["paths"].items()
        if path.startswith(under) and "requestBody" in verbs.get("post", {})
    ]


@pytest.mark.parametrize(
    ("path", "operation"), [each for each in posting() if "{" not in each.id or "{id}" in each.id]
)
def test_what_is_posted_as_its_example_is_taken(
    served: Api, client: Any, path: str, operation: dict[str, Any]
) -> None:
    body, given = body_of(operation), {}
    if path == "/v1/session":
        body["key"] = new_key(served.database_url, "read", name="example")
    if "{id}" in path:
        make = DOCUMENT["paths"][path.removesuffix("/{id}/end")]["post"]
        made = getattr(client, make["operationId"])(body=body_of(make))
        given["id"] = made.json()["id"]
    answer = getattr(client, operation["operationId"])(**given, body=body)
    assert answer.status_code == 501 if path in ELSEWHERE else answer.is_success, answer.text
    check(operation, answer)


def test_the_examples_of_changes_are_one_alert_from_beginning_to_end(
    served: Api, client: Any
) -> None:
    alert = str(say(served.database_url, subject=INLET.id).id)
    changes = sorted(
        (each.values[1] for each in posting("/v1/alerts/{alert_id}/")),
        key=lambda each: body_of(each)["expected_version"],
    )
    assert len(changes) == 7
    for operation in changes:
        answer = getattr(client, operation["operationId"])(alert_id=alert, body=body_of(operation))
        assert answer.status_code == 200, (operation["summary"], answer.text)
        check(operation, answer)
        told = example_of(operation["responses"]["200"]["content"]["application/json"])
        for name in ("version", "state", "work", "assignee", "verdict", "allowed_changes"):
            assert answer.json()[name] == told[name], (operation["summary"], name)
