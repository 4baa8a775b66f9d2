"""Units against values from outside: legal definitions of the units, written down here and computed by nobody."""

import pytest

from services.domain.errors import InvalidInput
from services.domain.units import CANONICAL, CONVERSIONS, Quantity, conversion

# quantity, UCUM code, value, the same in the canonical unit. Sources: NIST SP 811 appendix B, SI brochure.
KNOWN = [
    (Quantity.VOLUME, "L", 1.0, 1.0),
    (Quantity.VOLUME, "mL", 1.0, 0.001),
    (Quantity.VOLUME, "dL", 3.0, 0.3),
    (Quantity.VOLUME, "hL", 2.5, 250.0),
    (Quantity.VOLUME, "m3", 0.001, 1.0),
    (Quantity.VOLUME, "[gal_us]", 1.0, 3.785411784),
    (Quantity.VOLUME, "[gal_br]", 1.0, 4.54609),
    (Quantity.VOLUME, "[cft_i]", 1.0, 28.316846592),
    (Quantity.VOLUME, "100.[cft_i]", 1.0, 2831.6846592),
    (Quantity.WATER_FLOW, "L/h", 7.0, 7.0),
    (Quantity.WATER_FLOW, "L/min", 1.0, 60.0),
    (Quantity.WATER_FLOW, "L/s", 1.0, 3600.0),
    (Quantity.WATER_FLOW, "m3/h", 1.0, 1000.0),
    (Quantity.WATER_FLOW, "m3/s", 1.0, 3_600_000.0),
    (Quantity.WATER_FLOW, "m3/d", 24.0, 1000.0),
    (Quantity.WATER_FLOW, "[gal_us]/h", 1.0, 3.785411784),
    (Quantity.WATER_FLOW, "[gal_us]/min", 1.0, 227.12470704),
    (Quantity.PRESSURE, "kPa", 300.0, 300.0),
    (Quantity.PRESSURE, "Pa", 101_325.0, 101.325),
    (Quantity.PRESSURE, "MPa", 1.0, 1000.0),
    (Quantity.PRESSURE, "bar", 4.0, 400.0),
    (Quantity.PRESSURE, "mbar", 1013.25, 101.325),
    (Quantity.PRESSURE, "m[H2O]", 1.0, 9.80665),
    (Quantity.PRESSURE, "[psi]", 14.695948775513, 101.325),
    (Quantity.LENGTH, "m", 1.0, 1.0),
    (Quantity.LENGTH, "cm", 250.0, 2.5),
    (Quantity.LENGTH, "mm", 1.0, 0.001),
    (Quantity.LENGTH, "[ft_i]", 10.0, 3.048),
    (Quantity.TEMPERATURE, "Cel", 21.5, 21.5),
    (Quantity.TEMPERATURE, "K", 273.15, 0.0),
    (Quantity.TEMPERATURE, "[degF]", 212.0, 100.0),
    (Quantity.TEMPERATURE, "[degF]", -40.0, -40.0),
    (Quantity.SHARE, "%", 35.0, 35.0),
    (Quantity.SHARE, "1", 0.35, 35.0),
    (Quantity.VEHICLES, "{veh}", 12.0, 12.0),
    (Quantity.VEHICLES, "1", 12.0, 12.0),
    (Quantity.VEHICLE_FLOW, "{veh}/h", 1800.0, 1800.0),
    (Quantity.VEHICLE_FLOW, "{veh}/min", 30.0, 1800.0),
    (Quantity.VEHICLE_FLOW, "{veh}/s", 0.5, 1800.0),
    (Quantity.SPEED, "km/h", 88.0, 88.0),
    (Quantity.SPEED, "m/s", 10.0, 36.0),
    (Quantity.SPEED, "[mi_i]/h", 55.0, 88.51392),
]


@pytest.mark.parametrize(("quantity", "unit", "value", "canonical"), KNOWN)
def test_a_unit_converts_as_it_is_defined(
    quantity: Quantity, unit: str, value: float, canonical: float
) -> None:
    assert conversion(quantity, unit)(value) == pytest.approx(canonical, rel=1e-12, abs=1e-9)


def test_every_unit_of_the_table_has_a_known_value_above() -> None:
    listed = {(quantity, unit) for quantity, units in CONVERSIONS.items() for unit in units}
    assert {(quantity, unit) for quantity, unit, *_ in KNOWN} == listed


def test_every_quantity_has_a_canonical_unit_that_changes_nothing() -> None:
    assert set(CANONICAL) == set(CONVERSIONS) == set(Quantity)
    for quantity, unit in CANONICAL.items():
        assert conversion(quantity, unit)(0.1) == 0.1


@pytest.mark.parametrize("unit", ["litre", "l", "", "kPa", "LL", None, 1, ["L"], {"L": 1}])
def test_an_unknown_unit_is_refused_with_the_list_of_those_that_would_do(unit: object) -> None:
    with pytest.raises(InvalidInput, match=r"volume takes one of L, mL, .*\[gal_us\]") as refused:
        conversion(Quantity.VOLUME, unit)  # type: ignore[arg-type]
    assert (refused.value.field, refused.value.value) == ("unit", unit)
    assert not refused.value.retriable
