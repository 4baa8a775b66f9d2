"""GET /v1/catalogue: the domains, their metrics and units, as declared in the domain."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from pydantic import Field

from services.api.access import read
from services.api.answers import Answer
from services.api.documents import Document
from services.api.problems import documented
from services.domain.catalogue import CATALOGUE, Domain, Metric
from services.domain.units import CONVERSIONS

router = APIRouter(tags=["catalogue"], dependencies=[Depends(read)])


class MetricDocument(Document):
    """One measured thing."""

    name: str = Field(description="Short name in payloads.")
    column: str = Field(description="Name in answers, files and the database.")
    quantity: str = Field(description="What is measured.")
    unit: str = Field(description="UCUM code of the unit in which it is stored and served.")
    accepted_units: list[str] = Field(description="UCUM codes that a payload may use.")
    low: float = Field(description="Lowest plausible value, in `unit`.")
    high: float = Field(description="Highest plausible value, in `unit`.")
    description: str = Field(description="What it means.")


class DomainDocument(Document):
    """One field of sensing."""

    domain: Domain = Field(description="Its name, also in topics.")
    kinds: list[str] = Field(description="Kinds of sensors that it has.")
    metrics: list[MetricDocument] = Field(description="What they measure.")


class CatalogueDocument(Document):
    """Everything that can be measured."""

    domains: list[DomainDocument] = Field(description="The domains.")


@router.get(
    "/v1/catalogue",
    summary="What can be measured, and in which units",
    responses={
        200: {"model": CatalogueDocument, "description": "The catalogue"},
        **documented(401, 403, 503),
    },
)
def catalogue() -> Answer:
    """List domains, kinds of sensors, metrics, their units and plausible ranges."""
    return Answer(
        {
            "domains": [
                {
                    "domain": table.domain,
                    "kinds": table.kinds,
                    "metrics": [_metric(metric) for metric in table.metrics],
                }
                for table in CATALOGUE.values()
            ]
        }
    )


def _metric(metric: Metric) -> dict[str, object]:
    return {
        "name": metric.name,
        "column": metric.column,
        "quantity": metric.quantity,
        "unit": metric.unit,
        "accepted_units": list(CONVERSIONS[metric.quantity]),
        "low": metric.low,
        "high": metric.high,
        "description": metric.description,
    }
