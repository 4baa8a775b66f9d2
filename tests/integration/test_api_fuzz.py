"""Property run over the OpenAPI document: whatever is asked, no 5xx and no answer that the document does not name."""

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)

from services.api.app import create_app
from services.api.errors import PreviewFailed
from services.api.neighbours import Neighbours
from services.api.settings import ApiSettings
from services.cli.beside_api import replay_with
from services.cli.previewer import ProcessPreviewer
from services.cli.rule_settings import rules_of
from services.detect.detector_settings import DetectorSettings
from services.domain.rejection import Rejection, RejectReason
from services.embedded.database import EmbeddedDatabase
from services.ingest.settings import IngestSettings
from services.store import rejected
from services.store.connection import connect
from tests.api_server import METER, STATION, Api, new_key, register, say, serving, store

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "5"))
"""Requests of each kind for each operation; raise it for a long run."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


class Refusing(ProcessPreviewer):
    """Checks orders as the one of `citygauge api` does, and makes none of them."""

    def run(self, asked: Mapping[str, Any], report: Callable[[float], bool]) -> None:
        raise PreviewFailed("nothing is made here")


@pytest.fixture(scope="module")
def fuzzed(database_server: EmbeddedDatabase, migrated_template: str) -> Iterator[Api]:
    """An API with a few sensors, readings, alerts and rejected messages."""
    url = database_server.clone(migrated_template)
    numbers = register(url, [METER, STATION])
    now = datetime.now(UTC)
    times = [now - timedelta(minutes=i) for i in range(60, 0, -1)]
    store(url, METER, numbers[METER.id], times, flow_litres_per_h=[float(i) for i in range(60)])
    say(url)
    with connect(url, "test", autocommit=True) as connection:
        rejected.add(connection, [Rejection(RejectReason.NOT_JSON, "no", "t", b"{")], now)
    previewer = Refusing(url, DetectorSettings(), 35.0, memory_bytes=1, seconds=1.0)
    beside = Neighbours(
        rules_of(DetectorSettings()), previewer, replay=replay_with(IngestSettings())
    )
    with serving(url, neighbours=beside) as api:
        yield api
    database_server.drop(url.rpartition("/")[2])


@pytest.fixture(scope="module")
def schema(fuzzed: Api) -> Any:
    """The document as the service gives it, and a key for its operations."""
    loaded = schemathesis.openapi.from_url(f"{fuzzed.url}/openapi.json")
    secret = new_key(fuzzed.database_url, "admin")
    loaded.config.update(headers={"Authorization": f"Bearer {secret}"})
    return loaded


def _operations() -> list[Any]:
    """Path, verb, and whether what is sent is right or wrong.

    What takes no input, or a header of any text alone, cannot be asked wrongly.
    """
    document = create_app(ApiSettings(), "postgresql://nobody@127.0.0.1/none").openapi()
    found = []
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            if path.endswith("/stream"):  # its answer has no end; test_api_stream.py asks it
                continue
            modes = [GenerationMode.POSITIVE]
            given = [each for each in operation.get("parameters", ()) if each["in"] != "header"]
            if given or "requestBody" in operation:  # a header that takes any text cannot be wrong
                modes.append(GenerationMode.NEGATIVE)
            found += [
                pytest.param(path, verb, mode, id=f"{verb}-{path}-{mode.value}") for mode in modes
            ]
    return found


@pytest.mark.parametrize(("path", "verb", "mode"), _operations())
def test_every_answer_is_documented(
    schema: Any, path: str, verb: str, mode: GenerationMode
) -> None:
    strategy = schema[path][verb.upper()].as_strategy(generation_mode=mode)

    @given(case=strategy)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:
        answer = case.call_and_validate(checks=CHECKS)
        if mode is GenerationMode.POSITIVE and path != "/v1/session":
            assert answer.status_code != 401, "the run would prove nothing without its key"

    ask()
