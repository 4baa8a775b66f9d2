"""A batch refuses columns that do not belong together, and bytes of another version."""

import json
import zlib

import numpy as np
import pytest

from services.domain.batch import CorruptBatch, ReadingBatch, concatenate
from services.domain.catalogue import Domain


def batch(domain: Domain = Domain.WATER, n: int = 3, **metrics: np.ndarray) -> ReadingBatch:
    return ReadingBatch(
        domain,
        np.arange(n, dtype=np.int32),
        np.arange(n, dtype=np.int64),
        np.arange(n, dtype=np.int64),
        np.zeros(n, np.int16),
        metrics,
    )


def sealed(header: dict[str, object], body: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    rest = len(text).to_bytes(4, "little") + text + body
    return b"CGB2" + zlib.crc32(rest).to_bytes(4, "little") + rest


def test_every_column_has_a_value_for_every_row() -> None:
    with pytest.raises(ValueError, match=r"column flow_litres_per_h has shape \(2,\), not \(3,\)"):
        batch(flow_litres_per_h=np.zeros(2))
    with pytest.raises(ValueError, match=r"has shape \(3, 1\)"):
        batch(flow_litres_per_h=np.zeros((3, 1)))


def test_a_metric_of_another_domain_has_no_column_here() -> None:
    with pytest.raises(ValueError, match="traffic has no metric column flow_litres_per_h"):
        batch(Domain.TRAFFIC, flow_litres_per_h=np.zeros(3))


def test_only_batches_of_one_domain_can_be_joined() -> None:
    with pytest.raises(ValueError, match="all of one domain"):
        concatenate([batch(), batch(Domain.TRAFFIC)])
    with pytest.raises(ValueError, match="at least one batch"):
        concatenate([])


@pytest.mark.parametrize(
    "header",
    [
        {"domain": "air", "n": 0, "metrics": []},
        {"domain": "water", "n": 0, "metrics": ["flow_veh_per_h"]},
        {"domain": "water", "n": 1, "metrics": []},
        {"domain": "water", "n": "0", "metrics": []},
        {"domain": "water", "n": 0, "metrics": None},
        {"domain": "water", "metrics": []},
        {"n": 0},
    ],
)
def test_a_batch_of_another_version_is_refused_although_its_checksum_fits(
    header: dict[str, object],
) -> None:
    with pytest.raises(CorruptBatch, match="cannot be read"):
        ReadingBatch.loads(sealed(header))


def test_the_sealed_bytes_of_this_test_are_those_of_the_code() -> None:
    assert len(ReadingBatch.loads(sealed({"domain": "water", "n": 0, "metrics": []}))) == 0
    assert batch(n=0).dumps() == sealed({"domain": "water", "n": 0, "metrics": []})


def test_a_message_of_the_error_names_no_bytes() -> None:
    with pytest.raises(CorruptBatch, match="wrong magic bytes") as damaged:
        ReadingBatch.loads(b"CGB1" + b"\0" * 40)
    assert not damaged.value.retriable
