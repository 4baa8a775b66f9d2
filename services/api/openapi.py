"""The OpenAPI document: title, words, and the answers that every operation may give beside its own.

docs/openapi.json is the document of the default settings; `citygauge reference docs` writes it, a test holds it true.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from services.api.documents import FeatureCollection
from services.api.examples.placing import put_examples
from services.api.history import reading_documents
from services.api.problems import MEDIA_TYPE, Problem, documented

DESCRIPTION: Final = (
    "Sensors, readings and alerts of a city's water meters and traffic sensors. Times are RFC 3339 in UTC; values are "
    "in the unit that ends their name, given as a UCUM code beside them; null is missing, never zero. Every error is "
    "a problem (RFC 9457). Send an API key as `Authorization: Bearer cg_…` or `X-API-Key`."
)


UNREFERENCED: Final[Sequence[type[BaseModel]]] = (
    FeatureCollection,
    reading_documents.ReadingColumns,
    reading_documents.ReadingRows,
    reading_documents.LatestColumns,
    reading_documents.LatestRows,
    reading_documents.ConsumptionColumns,
    reading_documents.ConsumptionRows,
    reading_documents.Contour,
    reading_documents.TravelTimeColumns,
    reading_documents.TravelTimeRows,
    reading_documents.ZoneColumns,
    reading_documents.ZoneRows,
)
"""Models of answers with several forms, which the framework does not see."""
_REF: Final = "#/components/schemas/{model}"


def describe(app: FastAPI) -> None:
    """Make `app.openapi()` this document."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _complete(
                get_openapi(
                    title="Citygauge",
                    version=version("citygauge"),
                    description=DESCRIPTION,
                    routes=app.routes,
                )
            )
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _complete(document: dict[str, Any]) -> dict[str, Any]:
    schemas: dict[str, Any] = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema(ref_template=_REF)
    schemas |= schemas["Problem"].pop("$defs", {})
    for model in UNREFERENCED:
        schemas[model.__name__] = model.model_json_schema(ref_template=_REF)
        schemas |= schemas[model.__name__].pop("$defs", {})
    always = {str(status): _entry(status) for status in (500,)}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            answers = operation["responses"]
            for status, answer in answers.items():
                if status.startswith(("4", "5")):
                    answers[status] = _entry(int(status))
                elif path.endswith(".geojson") and "content" in answer:
                    answer["content"].pop("application/json", None)
            answers |= always
    put_examples(document)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return document


def _entry(status: int) -> dict[str, Any]:
    entry = dict(documented(status)[status])
    entry.pop("model")
    if status == 503:
        entry["headers"] = {
            "Retry-After": {
                "description": "Seconds after which to try again.",
                "schema": {"type": "integer"},
            }
        }
    if status == 401:
        entry["headers"] = {
            "WWW-Authenticate": {
                "description": "How to send a key.",
                "schema": {"type": "string"},
            }
        }
    assert MEDIA_TYPE in entry["content"]
    return entry
