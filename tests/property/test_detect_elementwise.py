"""The detectors' own elementwise functions give what numpy's do, bit by bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from services.detect.elementwise import clip, or_zero

VALUES = {
    dtype: arrays(dtype, st.integers(0, 30), elements=elements)
    for dtype, elements in (
        ("f8", st.floats()),
        ("f4", st.floats(width=32)),
        ("i8", st.integers(-(2**62), 2**62)),
    )
}


@given(st.one_of(list(VALUES.values())), st.integers(-9, 9), st.integers(0, 9))
def test_clip_is_numpys(values: np.ndarray, low: int, width: int) -> None:
    for least, most in ((low, low + width), (np.full(len(values), low), low + width)):
        np.testing.assert_array_equal(clip(values, least, most), np.clip(values, least, most))
    assert clip(values, low, low + width).dtype == np.clip(values, low, low + width).dtype


@pytest.mark.parametrize("dtype", ["f8", "f4"])
@given(data=st.data())
def test_or_zero_is_numpys_for_what_is_not_infinite(dtype: str, data: st.DataObject) -> None:
    values = data.draw(VALUES[dtype])
    expected = np.nan_to_num(values, posinf=np.inf, neginf=-np.inf)
    np.testing.assert_array_equal(or_zero(values), expected)
    assert or_zero(values).dtype == expected.dtype
    np.testing.assert_array_equal(
        or_zero(values, 1e6), np.nan_to_num(values, nan=1e6, posinf=np.inf, neginf=-np.inf)
    )
