"""The numbers of the general anomaly score: one configuration for all series, whatever they measure.

They were set by the means of many draws over the NAB files of the practice set (docs/decisions/0010) and are no
settings: a person chooses the threshold of a score, not its insides. It refuses to hold a configuration for each kind.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.domain.instant import HOUR_US


@dataclass(frozen=True, slots=True)
class Shape:
    """Spans are in values (an exponential weight of 1 / span), unless the name says otherwise.

    Attributes:
        paces, bin_factors: by what the spans and the widths of the bins of each look are multiplied.
        first: values that set the scale of the bins and begin the tails; nothing is scored before.
        day_slots, day_alpha: slots of the day, weight of a slot's newest value.
        week_alpha: the same for the 168 hours of the week.
        season_span, week_span: smoothing of what is left over by both seasons, and by the week alone.
        turn_span: of what both have left over lately; level_span: of the level.
        rare_spans: smoothing of how rare the values are at their hour.
        bins, value_bin, level_bin: histograms: how many bins, and their widths after asinh.
        prior, blur: weight of the whole day's histogram in an hour's, and of the neighbouring bins.
        halve_at: values in a histogram at which all counts are halved.
        peaks, tail_share, memory: peaks kept, the share of the last `memory` values that they are.
        block: the tail is fitted anew at every `block`-th value.
        least_shape: bound of the tail's shape from below; base_alpha: weight of the newest value in its middle.
        half: combined surprise that scores one half.
        hold_values, hold_us, gain, old_news: what is not `gain` times the last news within so many values and so long
            is old news and counts `old_news` of its score.
    """

    paces: tuple[float, ...] = (0.6, 1.0, 1.6)
    bin_factors: tuple[float, ...] = (1.25, 1.0, 0.8)
    first: int = 128
    day_slots: int = 288
    day_alpha: float = 0.15
    week_alpha: float = 0.5
    season_span: float = 8.0
    turn_span: float = 300.0
    week_span: float = 3.0
    level_span: float = 16.0
    rare_spans: tuple[float, float, float] = (6.0, 24.0, 64.0)
    bins: int = 40
    value_bin: float = 0.38
    level_bin: float = 0.45
    prior: float = 2.0
    blur: float = 0.6
    halve_at: int = 16384
    peaks: int = 100
    tail_share: float = 0.02
    memory: int = 20000
    block: int = 64
    least_shape: float = -0.1
    base_alpha: float = 0.002
    half: float = 4.4
    hold_values: int = 60
    hold_us: int = 48 * HOUR_US
    gain: float = 1.2
    old_news: float = 0.25
