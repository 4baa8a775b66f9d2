"""The variants of the hourly meters change what they say they do, and nothing else."""

from __future__ import annotations

import numpy as np

from benchmarks.bench_meter_variants import VARIANTS, Meter
from services.domain.instant import HOUR_US

HOURS = 4000
METER = Meter(
    np.arange(HOURS, dtype=np.int64) * HOUR_US,
    np.cumsum(np.random.default_rng(1).poisson(12.0, HOURS)).astype(np.float64),
)


def changed(name: str) -> Meter:
    return VARIANTS[name](METER, np.random.default_rng(2))


def test_units_and_sizes() -> None:
    assert (changed("register_100_l").value % 100 == 0).all()
    assert (METER.value - changed("register_100_l").value < 100).all()
    assert changed("scaled_3").value[-1] == 3 * METER.value[-1]
    volumes = changed("volumes")
    assert volumes.metric == "consumption_l"
    assert volumes.value.sum() == METER.value[-1] - METER.value[0]


def test_losses_repeats_and_stamps() -> None:
    lost = 1 - len(changed("lost_20_pct").value) / HOURS
    assert 0.14 < lost < 0.26
    assert np.diff(changed("lost_20_pct").at_us).max() < 24 * HOUR_US
    again = changed("repeated")
    assert len(np.unique(again.at_us)) == HOURS < len(again.at_us)
    late = changed("jittered").at_us - METER.at_us
    assert late.min() >= 0
    assert late.max() < HOUR_US
    assert (changed("moved_9_h").at_us - METER.at_us == 9 * HOUR_US).all()
