"""The API's own arithmetic: JSON of columns, and times as they are asked for."""

import json
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import TypeAdapter, ValidationError

from services.api.encoding import column, encoded, times
from services.api.parameters import Instant
from services.domain.instant import from_us, isoformat, to_us

MOMENTS = st.integers(31_536_000_000_000, 5_990_000_000_000_000).map(from_us)
INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)


@given(st.lists(st.integers(-(10**16), 10**16), max_size=30))
def test_times_are_those_of_the_domain(us: list[int]) -> None:
    written = json.loads(bytes(times(np.array(us, np.int64))))
    assert [to_us(datetime.fromisoformat(each)) for each in written] == us
    if all(each % 1_000_000 == 0 for each in us):
        assert written == [isoformat(each) for each in us]


@given(arrays(np.float64, st.integers(0, 30), elements=st.floats(allow_nan=True)))
def test_a_column_keeps_its_numbers_and_its_gaps(values: np.ndarray) -> None:
    read = json.loads(encoded({"v": column(values)}))["v"]
    assert read == [float(v) if np.isfinite(v) else None for v in values]


@given(MOMENTS)
def test_an_instant_reads_back(moment: datetime) -> None:
    assert INSTANT.validate_python(moment.isoformat()) == moment
    local = moment.astimezone(ZoneInfo("Asia/Kathmandu"))
    assert INSTANT.validate_python(local.isoformat()) == moment


@pytest.mark.parametrize("text", ["2026-01-01", "2026-01-01T00:00:00", "now", "", "NaN", "1e9"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        INSTANT.validate_python(text)
