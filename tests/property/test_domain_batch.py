"""Batches of readings: whatever was dumped is loaded, whatever was damaged is noticed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from services.domain.batch import CorruptBatch, ReadingBatch, concatenate
from services.domain.catalogue import CATALOGUE, Domain

MOST = 24


@st.composite
def batches(draw: st.DrawFn, domain: Domain | None = None) -> ReadingBatch:
    """Any batch: no rows at all, every value a float can have (NaN, infinite, -0), some metrics or none."""
    of = domain or draw(st.sampled_from(Domain))
    n = draw(st.integers(0, MOST))
    names = draw(st.lists(st.sampled_from(list(CATALOGUE[of].by_column)), unique=True))
    return ReadingBatch(
        of,
        draw(arrays(np.int32, n)),
        draw(arrays(np.int64, n)),
        draw(arrays(np.int64, n)),
        draw(arrays(np.int16, n)),
        {name: draw(arrays(np.float64, n)) for name in names},
    )


def assert_same(left: ReadingBatch, right: ReadingBatch) -> None:
    assert left.domain is right.domain
    for name in ("sensor", "observed_us", "received_us", "quality"):
        mine, theirs = getattr(left, name), getattr(right, name)
        assert mine.dtype == theirs.dtype, name
        np.testing.assert_array_equal(mine, theirs, name)
    assert list(left.metrics) == list(right.metrics)
    for name in left.metrics:
        np.testing.assert_array_equal(
            left.metrics[name].view(np.int64), right.metrics[name].view(np.int64), name
        )


@given(batches(), st.sampled_from([bytes, bytearray, memoryview]))
def test_what_was_dumped_is_loaded_bit_for_bit(batch: ReadingBatch, kind: type) -> None:
    loaded = ReadingBatch.loads(kind(batch.dumps()))
    assert_same(loaded, batch)
    assert len(loaded) == len(batch)
    assert not loaded.observed_us.flags.writeable


@given(batches(), st.data())
def test_any_flipped_byte_is_noticed(batch: ReadingBatch, data: st.DataObject) -> None:
    damaged = bytearray(batch.dumps())
    place = data.draw(st.integers(0, len(damaged) - 1), "place")
    damaged[place] ^= data.draw(st.integers(1, 255), "flip")
    with pytest.raises(CorruptBatch):
        ReadingBatch.loads(damaged)


@given(batches(), st.data())
def test_a_batch_cut_short_or_drawn_out_is_noticed(
    batch: ReadingBatch, data: st.DataObject
) -> None:
    whole = batch.dumps()
    with pytest.raises(CorruptBatch):
        ReadingBatch.loads(whole[: data.draw(st.integers(0, len(whole) - 1), "length")])
    with pytest.raises(CorruptBatch):
        ReadingBatch.loads(whole + data.draw(st.binary(min_size=1, max_size=8), "tail"))


@given(st.binary(max_size=200))
def test_other_bytes_are_no_batch(data: bytes) -> None:
    with pytest.raises(CorruptBatch):
        ReadingBatch.loads(data)


@given(st.data())
def test_rows_stay_rows_when_batches_are_joined(data: st.DataObject) -> None:
    domain = data.draw(st.sampled_from(Domain))
    parts = data.draw(st.lists(batches(domain), min_size=1, max_size=4))
    joined = concatenate(parts)
    assert len(joined) == sum(map(len, parts))
    assert set(joined.metrics) == {name for part in parts for name in part.metrics}
    start = 0
    for part in parts:
        rows = np.arange(start, start + len(part))
        cut = joined.take(rows)
        np.testing.assert_array_equal(cut.sensor, part.sensor)
        np.testing.assert_array_equal(cut.observed_us, part.observed_us)
        np.testing.assert_array_equal(cut.received_us, part.received_us)
        np.testing.assert_array_equal(cut.quality, part.quality)
        for name in joined.metrics:
            missing = np.full(len(part), np.nan)
            np.testing.assert_array_equal(cut.metrics[name], part.metrics.get(name, missing))
        start += len(part)


@given(batches(), st.data())
def test_a_mask_and_its_indices_take_the_same_rows(
    batch: ReadingBatch, data: st.DataObject
) -> None:
    mask = data.draw(arrays(np.bool_, len(batch)))
    taken = batch.take(mask)
    assert_same(taken, batch.take(np.flatnonzero(mask)))
    assert len(taken) == mask.sum()
    assert_same(batch.take(np.ones(len(batch), bool)), batch)
