"""Words of recordings mean something that the catalogue has, in a unit that converts."""

import pytest

from services.domain.catalogue import CATALOGUE, SensorKind
from services.domain.recording import RECORDED_KINDS, RECORDED_METRICS, RECORDING_COLUMNS
from services.domain.units import CONVERSIONS, conversion


@pytest.mark.parametrize("word", list(RECORDED_METRICS))
def test_a_recorded_metric_is_one_of_the_catalogue_in_a_unit_of_it(word: str) -> None:
    name, unit = RECORDED_METRICS[word]
    metrics = [table.by_name[name] for table in CATALOGUE.values() if name in table.by_name]
    fitting = [metric for metric in metrics if unit in CONVERSIONS[metric.quantity]]
    assert len(fitting) == 1, "a recording must say which domain is meant"


@pytest.mark.parametrize(
    ("word", "recorded", "canonical"),
    [("flow_m3h", 2.0, 2000.0), ("pressure_m", 10.0, 98.0665), ("speed_kmh", 90.0, 90.0)],
)
def test_recorded_values_become_canonical(word: str, recorded: float, canonical: float) -> None:
    name, unit = RECORDED_METRICS[word]
    (metric,) = [
        table.by_name[name]
        for table in CATALOGUE.values()
        if name in table.by_name and unit in CONVERSIONS[table.by_name[name].quantity]
    ]
    assert conversion(metric.quantity, unit)(recorded) == pytest.approx(canonical)


def test_every_kind_of_sensor_can_be_written_in_its_own_word() -> None:
    assert {RECORDED_KINDS[kind.value] for kind in SensorKind} == set(SensorKind)
    assert set(RECORDING_COLUMNS) == {"time", "sensor_id", "kind", "metric", "value"}
