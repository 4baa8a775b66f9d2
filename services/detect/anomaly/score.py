"""How unusual is this value of this series? One score in 0..1, with one threshold (0.5) for all series.

Question: has the series shown anything as strange as this before, and is it news?
Formula: three looks at the series, with spans of 0.6, 1 and 1.6 times those named here and bins of 1.25, 1 and 0.8
times the width. Each look has seven signals, which are high where something is strange. Of what the season leaves, the
smaller of (x - slot of the day) and (x - hour of the week),
    season    |mean over 8|
    turn      |mean over 8 - mean over 300|: the same against what was left lately, so that a slow drift is no news
and furthermore
    week      |mean over 3 of (x - hour of the week)|: a level that leaves its place
    rare      mean of -log10 P(bin of x | hour of the day) over 6, over 24 and over 64: three signals
    level     -log10 P(bin of the mean over 16): a level never seen
are turned into chances by peaks over a threshold (`windows/peaks`), which puts series of all scales and tails onto one
scale: e = -log10 p. Season and turn are one fact and the larger counts; a look joins its six as
(sum of e^2.5)^(1 / 2.5), r is the mean of the three looks, and the score is 1 - 2^(-r / 4.4). News: what is not 1.2
times the last news within 60 values and 48 hours is the same event still, and has a quarter of its score.
Units: none; the score does not change when a series is multiplied (peaks) or shifted (all but a flat beginning).
Source: likelihood of recent errors against their own past (Ahmad et al. 2017), contextual novelty as in CAD OSE
    (Smirnov 2016), SPOT (Siffer et al. 2017), slot baselines (ANCHORS section 4); figures and what failed in
    docs/decisions/0010-general-anomaly-score.md.
Missing: NaN, infinities and values beyond 1e13 score 0 and change nothing. Late values count in the order in which they
    come, in the slot of their own time. Irregular stamps: slots by time, spans by values; gaps are no values.
    Duplicates are values. The first 128 values of a series score 0. 35 KB a series. It raises no alert.
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
_EARLY: Final = 3
_SIGNALS: Final = 7
"""Signals of a look; the first three (season, turn, week) need no bins, the others do: rare (three spans), level."""


class AnomalyScore:
    """Scores of many series, one row a series, value after value.

    Args:
        shape: the numbers; one configuration for all series.
    """

    def __init__(self, shape: Shape | None = None) -> None:
        s = self.shape = shape or Shape()
        self._rounds = Rounds()
        k = self._looks = len(s.paces)
        self._bin_widths = np.outer((s.value_bin, s.level_bin), s.bin_factors).reshape(-1)
        self._scale = np.array([0] * k + [1 + i for i in range(k)])
        self.seasons = Seasons(s.day_slots, s.day_alpha, s.week_alpha)
        self.means = Means(
            self._spans(s.season_span, s.turn_span, s.week_span) + self._spans(s.level_span)
        )
        self.rarity = Rarity(s.bins, s.prior, s.blur, s.halve_at)
        self.rare_means = Means(self._spans(*s.rare_spans))
        self.peaks = Peaks(
            _SIGNALS * k,
            s.peaks,
            s.tail_share,
            s.memory,
            s.block,
            s.first,
            s.least_shape,
            s.base_alpha,
        )
        self.table = Table(
            {
                "seen": Field("i8"),
                "first": Field("f8", 0.0, (s.first,)),
                "hours": Field("u1", 0, (s.first,)),
                "middles": Field("f8", 0.0, (1 + k,)),
                "widths": Field("f8", 1.0, (1 + k,)),
                "told": Field("f8"),
                "told_at": Field("i8"),
                "told_us": Field("i8"),
            }
        )

    def _spans(self, *spans: float) -> tuple[float, ...]:
        """Each span at the pace of each look."""
        return tuple(
            min(max(span * pace, 1.0), 600.0) for span in spans for pace in self.shape.paces
        )

    @property
    def tables(self) -> dict[str, Table]:
        """All state, by name; of `rarity` each look has a row of each series, one after the other."""
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
        for name, table in self.tables.items():
            table.add(count * (self._looks if name == "rarity" else 1))
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
        k, n = self._looks, len(rows)
        least = np.where(np.abs(week) < np.abs(day), week, day)
        signals = np.repeat(np.stack([least, least, week, x], axis=1), k, axis=1)
        means = self.means.push(rows, signals, seen)
        strange = np.full((n, _SIGNALS * k), np.nan)
        strange[:, :k] = means[:, :k]
        strange[:, k : 2 * k] = means[:, :k] - means[:, k : 2 * k]
        strange[:, 2 * k : 3 * k] = means[:, 2 * k : 3 * k]
        np.abs(strange, out=strange)
        levels = means[:, 3 * k :]
        hour = at_us % DAY_US * 24 // DAY_US
        young = seen <= s.first
        if not young.any():
            strange[:, _EARLY * k :] = self._rarity(rows, hour, x, levels, seen)
        elif not young.all():
            old = ~young
            strange[old, _EARLY * k :] = self._rarity(
                rows[old], hour[old], x[old], levels[old], seen[old]
            )
        surprise = self.peaks.surprise(rows, strange)
        self.peaks.learn(rows, strange)
        whole = self._join(surprise)
        if young.any():
            whole[young] = 0.0
            self._keep(rows[young], seen[young], hour[young], x[young])
        return self._news(rows, at_us, whole, seen, young)

    def _join(self, surprise: Array) -> Array:
        """(n,) the surprises together; of season and turn the larger, of the looks the mean."""
        k = self._looks
        np.maximum(surprise[:, :k], surprise[:, k : 2 * k], out=surprise[:, k : 2 * k])
        e = surprise[:, k:]
        powers = e * e * np.sqrt(e)
        whole = powers[:, :k]
        for i in range(k, powers.shape[1], k):
            whole = whole + powers[:, i : i + k]
        together: Array = np.add.reduce(whole**0.4, axis=1) / k
        return together

    def _rarity(self, rows: Rows, hour: Array, x: Array, levels: Array, seen: Array) -> Array:
        """(n, 4 looks) rare over three spans, level; levels: (n, looks)."""
        k, n = self._looks, len(rows)
        signals = np.concatenate([np.repeat(x[:, None], k, axis=1), levels], axis=1)
        place = place_of(
            signals,
            self.table["middles"][rows[:, None], self._scale],
            self.table["widths"][rows[:, None], self._scale],
            self._bin_widths,
            self.shape.bins,
        )
        each = (rows[:, None] * k + np.arange(k)).reshape(-1)
        rare = self.rarity.judge_and_learn(
            each, np.repeat(hour, k), place[:, :k].reshape(-1), place[:, k:].reshape(-1)
        ).reshape(n, k, 2)
        out = np.empty((n, 4 * k))
        out[:, : 3 * k] = self.rare_means.push(rows, np.tile(rare[:, :, 0], (1, 3)), seen)
        out[:, 3 * k :] = rare[:, :, 1]
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
        again = Means(self._spans(s.level_span))
        again.table.add(len(ripe))
        index, k = np.arange(len(ripe)), self._looks
        counts = [np.full(len(ripe), i + 1) for i in range(s.first)]
        levels = np.stack(
            [
                again.push(index, np.repeat(values[:, [i]], k, axis=1), counts[i])
                for i in range(s.first)
            ],
            axis=2,
        )
        for i, signal in enumerate((values, *levels.transpose(1, 0, 2))):
            t["middles"][ripe, i], t["widths"][ripe, i] = scale_of(signal)
        history = [
            self._rarity(
                ripe, hours[:, i].astype(np.intp), values[:, i], levels[:, :, i], counts[i]
            )
            for i in range(s.first)
        ]
        later = slice(_EARLY * k, _SIGNALS * k)
        self.peaks.replace(ripe, later, np.stack(history, axis=2))

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
