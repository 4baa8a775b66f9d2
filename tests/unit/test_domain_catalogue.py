"""The declared tables are complete and agree with the units, the database's first schema and themselves."""

import re
from pathlib import Path

import pytest

from services.domain.catalogue import (
    CATALOGUE,
    DOMAIN_OF_KIND,
    Domain,
    DomainTable,
    Metric,
    SensorKind,
)
from services.domain.units import CANONICAL, Quantity

MIGRATIONS = Path(__file__).parents[2] / "services" / "store" / "migrations"
SUFFIX = {
    Quantity.VOLUME: "_litres",
    Quantity.WATER_FLOW: "_litres_per_h",
    Quantity.PRESSURE: "_kpa",
    Quantity.LENGTH: "_m",
    Quantity.TEMPERATURE: "_celsius",
    Quantity.SHARE: "_pct",
    Quantity.VEHICLES: "_veh",
    Quantity.VEHICLE_FLOW: "_veh_per_h",
    Quantity.SPEED: "_km_per_h",
}
METRICS = [
    pytest.param(metric, id=f"{table.domain}-{metric.name}")
    for table in CATALOGUE.values()
    for metric in table.metrics
]


def test_every_domain_has_its_table_and_is_filed_under_its_own_name() -> None:
    assert set(CATALOGUE) == set(Domain)
    assert all(table.domain is domain for domain, table in CATALOGUE.items())
    assert len({table.table for table in CATALOGUE.values()}) == len(CATALOGUE)


def test_every_kind_of_sensor_belongs_to_exactly_one_domain() -> None:
    listed = [kind for table in CATALOGUE.values() for kind in table.kinds]
    assert sorted(listed) == sorted(SensorKind)
    assert set(DOMAIN_OF_KIND) == set(SensorKind)


def test_every_quantity_has_a_suffix_here_and_is_measured_by_something() -> None:
    measured = {metric.quantity for table in CATALOGUE.values() for metric in table.metrics}
    assert measured == set(Quantity) == set(SUFFIX)


@pytest.mark.parametrize("metric", METRICS)
def test_a_column_is_its_name_and_its_canonical_unit(metric: Metric) -> None:
    assert metric.column == metric.name + SUFFIX[metric.quantity]
    assert metric.unit == CANONICAL[metric.quantity]


@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_has_a_plausible_range_and_a_description(metric: Metric) -> None:
    assert metric.low < metric.high
    assert metric.description
    assert not metric.description.endswith(".")


@pytest.mark.parametrize("table", CATALOGUE.values(), ids=str)
def test_a_metric_is_found_by_either_of_its_names(table: DomainTable) -> None:
    for metric in table.metrics:
        assert table.by_name[metric.name] is metric
        assert table.by_column[metric.column] is metric


@pytest.mark.parametrize("table", CATALOGUE.values(), ids=str)
def test_the_first_schema_has_a_column_for_every_metric(table: DomainTable) -> None:
    schema = (MIGRATIONS / "0001_initial.sql").read_text()
    body = re.search(rf"CREATE TABLE {table.table} \((.*?)\n\);", schema, re.DOTALL)
    assert body is not None
    columns = re.findall(r"^\s+(\w+)\s+double precision", body[1], re.MULTILINE)
    assert columns == [metric.column for metric in table.metrics]
