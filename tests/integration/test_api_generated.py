"""A client generated from docs/openapi.json alone: every operation that only reads is asked and answers as told."""

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
        "    def _ask(self, verb, path, query, headers):",
        "        given = {k: v for k, v in query.items() if v is not None}",
        "        named = {k: v for k, v in headers.items() if v is not None}",
        "        return self._http.request(verb, path, params=given, headers=named)",
    ]
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            if "requestBody" in operation:
                continue
            parameters = operation.get("parameters", [])
            signature = [
                name_of(p["name"]) if p.get("required") else f"{name_of(p['name'])}=None"
                for p in sorted(parameters, key=lambda p: not p.get("required"))
            ]
            query = {p["name"] for p in parameters if p["in"] == "query"}
            headers = {p["name"] for p in parameters if p["in"] == "header"}
            address = re.sub(r"\{(\w+)\}", lambda m: "{" + name_of(m[1]) + "}", path)
            lines += [
                f"    def {operation['operationId']}(self, *, {', '.join(signature)}):"
                if signature
                else f"    def {operation['operationId']}(self):",
                f"        return self._ask({verb.upper()!r}, f{address!r}, {filled(query)}, {filled(headers)})",
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
    media_type = answer.headers["content-type"].partition(";")[0]
    content = operation["responses"]["200"]["content"]
    assert media_type in content
    if media_type == "application/json":
        schema = {**content[media_type]["schema"], "components": DOCUMENT["components"]}
        jsonschema.validate(answer.json(), schema)


def test_many_operations_were_asked() -> None:
    assert len(reading_operations()) >= 20
