"""Conversions keep order and proportion, and undo themselves."""

import math

from hypothesis import given
from hypothesis import strategies as st

from services.domain.units import CONVERSIONS, Conversion, conversion

EVERY = st.sampled_from(
    [(quantity, unit) for quantity, units in CONVERSIONS.items() for unit in units]
).map(lambda pair: conversion(*pair))
VALUES = st.floats(-1e12, 1e12)


@given(EVERY, VALUES)
def test_a_conversion_can_be_undone(convert: Conversion, value: float) -> None:
    back = (convert(value) - convert.offset) / convert.factor
    assert math.isclose(back, value, rel_tol=1e-9, abs_tol=1e-6)


@given(EVERY, VALUES, VALUES)
def test_a_conversion_keeps_order(convert: Conversion, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert convert(low) <= convert(high)


@given(EVERY)
def test_missing_stays_missing(convert: Conversion) -> None:
    assert math.isnan(convert(math.nan))
