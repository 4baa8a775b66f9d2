"""Which example belongs to which model, parameter, body and answer of the OpenAPI document.

They are put in when the document is made: the framework would drop their nulls. It refuses to name what is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from services.api.alerting.cap import ATOM_TYPE, CAP_TYPE, atom
from services.api.alerting.performance import CSV, Part, as_csv
from services.api.encoding import encoded
from services.api.examples import alerts, city, ingest, readings, rules, session, telling
from services.api.examples import suppressions as held
from services.api.examples.parameters import OF_OPERATIONS, PARAMETERS
from services.api.examples.performance import PERFORMANCE
from services.api.history import reading_examples
from services.api.sensors import GEOJSON
from services.domain.performance import TARGETS
from services.store.page import Page
from services.store.telling.cap_messages import CapKind, CapMessage

JSON: Final = "application/json"

MODELS: Final[Mapping[str, Any]] = {
    "SensorDocument": city.SENSOR,
    "SensorPage": city.SENSORS,
    "FeatureCollection": city.FEATURES,
    "QuarantinePage": city.QUARANTINE,
    "MapDocument": city.MAP,
    "TilesDocument": city.TILES,
    "FoundDocument": city.FOUND,
    "ReadingColumns": readings.READINGS,
    "ReadingRows": readings.ROWS,
    "LatestDocument": readings.LATEST,
    "QualityPage": readings.QUALITY,
    "ExportOrder": readings.ORDER,
    "ExportDocument": readings.EXPORT,
    "ExportPage": readings.EXPORTS,
    "AlertDocument": alerts.ALERT,
    "AlertPage": alerts.ALERTS,
    "AlertDetail": alerts.CASE,
    "EventDocument": alerts.EVENT,
    **{
        model: alerts.ACTS[act][0]
        for model, act in (
            ("Acknowledge", "acknowledge"),
            ("Assign", "assign"),
            ("Progress", "progress"),
            ("Comment", "comment"),
            ("Shelve", "shelve"),
            ("Change", "unshelve"),
            ("Resolve", "resolve"),
        )
    },
    "Bulk": alerts.BULK,
    "BulkOutcome": alerts.BULK_OUTCOME,
    "NewSuppression": held.NEW_EXEMPTION,
    "End": held.END,
    "DeliveryPage": telling.DELIVERIES,
    "PerformanceDocument": msgspec.json.decode(
        encoded({**asdict(PERFORMANCE), "targets": dict(TARGETS)})
    ),
    "RoutesDocument": telling.ROUTES,
    "TestDocument": telling.TEST,
    "AccountingDocument": ingest.ACCOUNTING,
    "RejectedPage": ingest.REJECTED,
    "RejectedDetail": ingest.REJECTED_DETAIL,
    "Replay": ingest.REPLAY,
    "ReplayedDocument": ingest.REPLAYED,
    "DiscardedDocument": ingest.DISCARDED,
    "RulesDocument": rules.RULES,
    "SentencesDocument": rules.SENTENCES,
    "CatalogueDocument": rules.METRICS,
    "PreviewOrder": rules.PREVIEW_ORDER,
    "PreviewDocument": rules.PREVIEW,
    "PreviewList": rules.PREVIEWS,
    "KeyBody": session.KEY,
    "SessionDocument": session.SESSION,
    "HealthDocument": session.HEALTH,
}
"""By the model's name in the document; they hold wherever an operation has none of its own."""

_FEED: Final = "public"
_PUBLISHED: Final = CapMessage(
    telling.CAP_IDENTIFIER,
    _FEED,
    UUID(alerts.ALERT["group_id"]),
    CapKind.ALERT,
    telling.CAP_SENDER,
    datetime(2026, 1, 1, 2, 20, tzinfo=UTC),
    datetime(2026, 1, 2, 2, 20, tzinfo=UTC),
    telling.CAP_HEADLINE,
    telling.CAP,
)
BODIES: Final[Mapping[str, Any]] = {
    "/v1/alerts/{alert_id}/acknowledge": alerts.ACTS["acknowledge"][0],
    "/v1/alerts/{alert_id}/unshelve": alerts.ACTS["unshelve"][0],
    "/v1/exemptions/{id}/end": held.END,
    "/v1/maintenance": held.NEW_MAINTENANCE,
    "/v1/maintenance/{id}/end": held.END,
    "/v1/rejected/discard": ingest.DISCARD,
}
"""By path, what is posted there, where the model has no example of its own, or may be left out."""

ANSWERS: Final[Mapping[tuple[str, str, str], Any]] = {
    **{("get", path, JSON): example for path, example in reading_examples.BY_PATH.items()},
    **{
        ("post", f"/v1/alerts/{{alert_id}}/{act}", JSON): after
        for act, (_, after) in alerts.ACTS.items()
    },
    ("post", "/v1/exports", JSON): readings.EXPORT_WAITING,
    ("post", "/v1/rules/previews", JSON): rules.PREVIEW_WAITING,
    ("get", "/v1/exemptions", JSON): held.page_of(held.EXEMPTION),
    ("post", "/v1/exemptions", JSON): held.EXEMPTION,
    ("get", "/v1/exemptions/{id}", JSON): held.logged(held.EXEMPTION),
    ("post", "/v1/exemptions/{id}/end", JSON): held.ended(held.EXEMPTION, "2026-01-05T09:00:00Z"),
    ("get", "/v1/maintenance", JSON): held.page_of(held.MAINTENANCE),
    ("post", "/v1/maintenance", JSON): held.MAINTENANCE,
    ("get", "/v1/maintenance/{id}", JSON): held.logged(held.MAINTENANCE),
    ("post", "/v1/maintenance/{id}/end", JSON): held.ended(
        held.MAINTENANCE, "2026-11-04T03:00:00Z"
    ),
    ("get", "/v1/sensors", GEOJSON): city.FEATURES,
    ("get", "/v1/sensors.geojson", GEOJSON): city.FEATURES,
    ("get", "/v1/performance", CSV): as_csv(PERFORMANCE, Part.WEEKS).decode(),
    ("get", "/v1/cap/{feed}", ATOM_TYPE): atom(
        f"https://citygauge.example/v1/cap/{_FEED}", _FEED, Page([_PUBLISHED], None), 100
    ).decode(),
    ("get", "/v1/cap/{feed}/{identifier}", CAP_TYPE): telling.CAP,
    ("get", "/metrics", "text/plain"): session.METRICS,
}
"""By verb, path and media type, where the model's own example would not do, or there is no model."""


def put_examples(document: dict[str, Any]) -> None:
    """Put every example into its place.

    Raises:
        KeyError: the document has no such model, operation or form.
    """
    for name, example in MODELS.items():
        document["components"]["schemas"][name]["examples"] = [example]
    for path, example in BODIES.items():
        document["paths"][path]["post"]["requestBody"]["content"][JSON]["example"] = example
    for (verb, path, media_type), example in ANSWERS.items():
        answers = document["paths"][path][verb]["responses"]
        [good] = [
            each
            for status, each in answers.items()
            if status.startswith("2") and media_type in each.get("content", ())
        ]
        good["content"][media_type]["example"] = example
    for path, verbs in document["paths"].items():
        for operation in verbs.values():
            for parameter in operation.get("parameters", ()):
                _put_example(path, parameter)


def _put_example(path: str, parameter: dict[str, Any]) -> None:
    """The parameter's example of this operation, or else its own, or that of its name."""
    name = parameter["name"]
    if (path, name) in OF_OPERATIONS:
        parameter["example"] = OF_OPERATIONS[path, name]
    elif name in PARAMETERS and not parameter["schema"].get("examples"):
        parameter["example"] = PARAMETERS[name]
