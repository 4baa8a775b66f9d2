"""How unusual is this value of this series? One score in 0..1, with one threshold (0.5) for all series.

Question: has the series shown anything as strange as this before, and is it news?
Formula: six signals, each of which is high where something is strange,
    season    |mean over 10 of the smaller of (x - slot of the day, x - hour of the week)|
    week      |mean over 4 of (x - hour of the week)|: a level that leaves its place
    rare      mean over 6 of -log10 P(bin of x | hour of the day)
    long rare the same over 24
    level     -log10 P(bin of the mean over 20): a level never seen
    still     -log(mean step over 10 + 1 % of the mean step over 500): less variance than ever
are each turned into a chance by peaks over a threshold (`windows/peaks`), which puts series of all scales and tails
onto one: e = -log10 p. They join as r = sqrt(sum of e^2), and the score is 1 - 2^(-r / 4.9). News: what is not 1.25
times the last news within 60 values and 96 hours is the same event still, and has a quarter of its score.
Units: none; the score does not change when a series is multiplied (peaks) or shifted (all but a flat beginning).
Source: likelihood of recent errors against their own past (Ahmad et al. 2017), contextual novelty as in CAD OSE
    (Smirnov 2016), SPOT (Siffer et al. 2017), slot baselines (ANCHORS section 4); figures and what failed in
    docs/decisions/0010-general-anomaly-score.md.
Missing: NaN, infinities and values beyond 1e13 score 0 and change nothing. Late values count in the order in which they
    come, in the slot of their own time. Irregular stamps: slots by time, spans by values; gaps are no values.
    Duplicates are values. The first 96 values of a series score 0. 12.5 KB a series. It raises no alert.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.anomaly.shape import Shape
from services.detect.rounds import Rounds
from services.detect.table import Array, Field, Rows, Table
from services.detect.windows.means import Means
from services.detect.windows.peaks import Peaks
from services.detect.windows.rarity import Rarity, place_of, scale_of
from services.detect.windows.seasons import Seasons
from services.domain.instant import DAY_US

_LARGEST: Final = 1e13
_USUAL_SPAN: Final = 500.0
_LATER: Final = slice(3, 6)
"""The signals that are known only when the scale of the bins is: rare, long rare, level."""


class AnomalyScore:
    """Scores of many series, one row a series, value after value.

    Args:
        shape: the numbers; one configuration for all series.
    """

    def __init__(self, shape: Shape | None = None) -> None:
        s = self.shape = shape or Shape()
        self._rounds = Rounds()
        self._bin_widths = np.array([s.value_bin, s.level_bin])
        self.seasons = Seasons(s.day_slots, s.day_alpha, s.week_alpha)
        self.means = Means((s.season_span, s.week_span, s.flat_span, _USUAL_SPAN, s.level_span))
        self.rarity = Rarity(s.bins, s.prior, s.blur, s.halve_at)
        self.rare_means = Means((s.rare_span, s.long_rare_span))
        self.peaks = Peaks(
            6, s.peaks, s.tail_share, s.memory, s.block, s.warm, s.least_shape, s.base_alpha
        )
        self.table = Table(
            {
                "seen": Field("i8"),
                "last": Field("f8"),
                "first": Field("f8", 0.0, (s.first,)),
                "hours": Field("u1", 0, (s.first,)),
                "middles": Field("f8", 0.0, (2,)),
                "widths": Field("f8", 1.0, (2,)),
                "told": Field("f8"),
                "told_at": Field("i8"),
                "told_us": Field("i8"),
            }
        )

    @property
    def tables(self) -> dict[str, Table]:
        """All state, by name."""
        return {
            "score": self.table,
            "seasons": self.seasons.table,
            "means": self.means.table,
            "rarity": self.rarity.table,
            "rare_means": self.rare_means.table,
            "peaks": self.peaks.table,
        }

    def add(self, count: int) -> None:
        """Make room for `count` more series."""
        for table in self.tables.values():
            table.add(count)
        self._rounds.reserve(self.table.n)

    def step(self, rows: Rows, at_us: Array, values: Array) -> Array:
        """(n,) scores 0..1 of n values in the order of the stream; a row may occur several times.

        Args:
            rows: (n,) series; at_us: (n,) times in microseconds since 1970; values: (n,) in any unit.
        """
        out = np.zeros(len(rows))
        known = np.flatnonzero(np.abs(values) <= _LARGEST)
        if not known.size:
            return out
        mine = rows[known]
        for part in self._rounds.split(mine):
            at = known[part]
            out[at] = self._round(rows[at], at_us[at], values[at])
        return out

    def _round(self, rows: Rows, at_us: Array, x: Array) -> Array:
        t, s = self.table, self.shape
        seen = t["seen"].take(rows) + 1
        t["seen"][rows] = seen
        day, week = self.seasons.left_over(rows, at_us, x)
        signals = np.empty((len(rows), 5))
        signals[:, 0] = np.where(np.abs(week) < np.abs(day), week, day)
        signals[:, 1] = week
        step = np.where(seen > 1, np.abs(x - t["last"].take(rows)), 0.0)
        signals[:, 2], signals[:, 3], signals[:, 4] = step, step, x
        t["last"][rows] = x
        means = self.means.push(rows, signals, seen)
        strange = np.full((len(rows), 6), np.nan)
        np.abs(means[:, :2], out=strange[:, :2])
        strange[:, 2] = -np.log(means[:, 2] + 0.01 * means[:, 3] + 1e-12)
        hour = at_us % DAY_US * 24 // DAY_US
        young = seen <= s.first
        if not young.any():
            strange[:, 3:] = self._rarity(rows, hour, x, means[:, 4], seen)
        elif not young.all():
            old = ~young
            strange[old, 3:] = self._rarity(rows[old], hour[old], x[old], means[old, 4], seen[old])
        surprise = self.peaks.surprise(rows, strange)
        self.peaks.learn(rows, strange)
        whole = np.sqrt(np.einsum("ij,ij->i", surprise, surprise))
        if young.any():
            whole[young] = 0.0
            self._keep(rows[young], seen[young], hour[young], x[young])
        return self._news(rows, at_us, whole, seen, young)

    def _rarity(self, rows: Rows, hour: Array, x: Array, level: Array, seen: Array) -> Array:
        """(n, 3) rare, long rare, level."""
        signals = np.stack([x, level], axis=1)
        place = place_of(
            signals,
            self.table["middles"][rows],
            self.table["widths"][rows],
            self._bin_widths,
            self.shape.bins,
        )
        rare = self.rarity.judge_and_learn(rows, hour, place[:, 0], place[:, 1])
        out = np.empty((len(rows), 3))
        out[:, :2] = self.rare_means.push(rows, rare[:, :1], seen)
        out[:, 2] = rare[:, 1]
        return out

    def _keep(self, rows: Rows, seen: Array, hour: Array, x: Array) -> None:
        """Keep the first values; when there are enough, set the bins by them and learn them one after the other."""
        t, s = self.table, self.shape
        t["first"][rows, seen - 1] = x
        t["hours"][rows, seen - 1] = hour
        ripe = rows[seen == s.first]
        if not ripe.size:
            return
        values, hours = t["first"][ripe], t["hours"][ripe]
        again = Means((s.level_span,))
        again.table.add(len(ripe))
        index = np.arange(len(ripe))
        counts = [np.full(len(ripe), i + 1) for i in range(s.first)]
        levels = np.stack(
            [again.push(index, values[:, [i]], counts[i])[:, 0] for i in range(s.first)], axis=1
        )
        for i, signal in enumerate((values, levels)):
            t["middles"][ripe, i], t["widths"][ripe, i] = scale_of(signal)
        history = [
            self._rarity(ripe, hours[:, i].astype(np.intp), values[:, i], levels[:, i], counts[i])
            for i in range(s.first)
        ]
        self.peaks.replace(ripe, _LATER, np.stack(history, axis=2))

    def _news(self, rows: Rows, at_us: Array, whole: Array, seen: Array, young: Array) -> Array:
        """(n,) scores; what is still the same event counts less."""
        t, s = self.table, self.shape
        held = (seen - t["told_at"].take(rows) <= s.hold_values) & (
            at_us - t["told_us"].take(rows) <= s.hold_us
        )
        bar = np.where(held, t["told"].take(rows) * s.gain, 0.0)
        score = 1.0 - 2.0 ** (-whole / s.half)
        news = (whole > bar) & ~young
        if news.any():
            told = rows[news]
            t["told"][told], t["told_at"][told], t["told_us"][told] = (
                whole[news], seen[news], at_us[news],
            )  # fmt: skip
        return np.where(news, score, s.old_news * score)
