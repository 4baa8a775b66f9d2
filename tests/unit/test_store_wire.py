"""The binary COPY stream against PostgreSQL's documented format, read back one field at a time."""

import math
import struct

from hypothesis import given
from hypothesis import strategies as st

from services.domain.catalogue import Domain
from services.store.wire import POSTGRES_EPOCH_US, copy_stream
from tests.oracles.readings import Row, batch_of

FLOW, SPEED = "flow_veh_per_h", "speed_km_per_h"
rows = st.lists(
    st.tuples(
        st.integers(1, 2**31 - 1),
        st.integers(946_684_800_000_000, 4_102_444_800_000_000),
        st.integers(0, 15),
        st.dictionaries(st.sampled_from([FLOW, SPEED]), st.floats(allow_nan=False)),
    ),
    max_size=20,
)


@given(rows)
def test_copy_stream_is_the_documented_format(rows: list[Row]) -> None:
    batch = batch_of(Domain.TRAFFIC, rows)
    stream = copy_stream(batch)
    assert stream[:11] == b"PGCOPY\n\xff\r\n\0"
    assert stream[11:19] == bytes(8)
    at = 19
    for sensor, observed_us, quality, metrics in rows:
        (fields,) = struct.unpack_from(">h", stream, at)
        at += 2
        assert fields == 4 + len(batch.metrics)
        read: list[bytes | None] = []
        for _ in range(fields):
            (size,) = struct.unpack_from(">i", stream, at)
            at += 4
            read.append(None if size == -1 else stream[at : at + size])
            at += max(size, 0)
        expected = [
            struct.pack(">q", observed_us - POSTGRES_EPOCH_US),
            struct.pack(">i", sensor),
            struct.pack(">h", quality),
            struct.pack(">q", observed_us + 1_000_003 - POSTGRES_EPOCH_US),
            *(
                None
                if math.isnan(metrics.get(name, math.nan))
                else struct.pack(">d", metrics[name])
                for name in batch.metrics
            ),
        ]
        assert read == expected
    assert stream[at:] == b"\xff\xff"
