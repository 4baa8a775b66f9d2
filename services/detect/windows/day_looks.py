"""The newest looks at meters that are read seldom, and what explains them: the habit, the habit and a leak, or neither.

A look is the rate of a day in L/h; where days are kept as halves, the newest looks are the days that end with the last
half. The 28 looks before the last 14 are the habit: its density f is a kernel of Student's t with 3 degrees around each
of them, half their spread wide. The formulae are in `detectors/daily_use.py`. It refuses to cut days, and to decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.detect.elementwise import clip
from services.detect.table import NEVER, Array, Field, Rows, Table
from services.detect.windows.day_parts import Parts
from services.detect.windows.rolling import sorted_quantile

WINDOW: Final = 14
HABIT: Final = 28
LEAST_LITRES_PER_H: Final = 1.0
"""Smallest leak that is asked for, and smallest spread."""
PARTS: Final = 2
"""Of a day, where readings allow it: the newest looks end with any of them."""
_DAYS: Final = WINDOW + HABIT
_KEPT: Final = PARTS * _DAYS
_SPANS: Final = (2, 3, 4, 5, 7, 10, WINDOW)
_NEEDED: Final = 10
_FOLLOWED: Final = 5
"""So many looks of the habit are needed to say that a leak has ended."""
_T3: Final = 0.3675525969
"""Height of Student's t with 3 degrees."""
_CLIP: Final = 4.0
_BANDWIDTH: Final = 0.5
_LEAST_SHARE: Final = 0.15
_RARE: Final = 0.03
_FAR: Final = 6.0
_TWO_LITRES: Final = 1500.0
_ONE_LITRES: Final = 6000.0


@dataclass(frozen=True, slots=True)
class Habit:
    """What the looks before the window say of n meters.

    Attributes:
        looks: (n, HABIT) L/h, NaN where there are fewer; known: (n,) bool, there are enough.
        median, mean, highest, spread, width: (n,) L/h; width of the kernel.
    """

    looks: Array
    known: Array
    median: Array
    mean: Array
    highest: Array
    spread: Array
    width: Array

    @property
    def far(self) -> Array:
        """(n,) L/h that no day of the habit comes near."""
        beyond: Array = self.highest + _FAR * self.spread
        return beyond

    def ended(self, x: Array, leak: Array) -> Array:
        """(n,) nats for 'the leak has ended' in a look x (n,) L/h."""
        without, leaking = self.density(np.stack([x, x - leak], axis=1)).T
        nats: Array = clip(np.log((without + 1e-4) / (leaking + 1e-4)), -_CLIP, _CLIP)
        return nats

    def density(self, x: Array) -> Array:
        """(n, k) density of looks x (n, k), per L/h."""
        z = (x[:, :, None] - self.looks[:, None, :]) / self.width[:, None, None]
        kernel = np.where(np.isnan(z), 0.0, (1.0 + z * z / 3.0) ** -2)
        count = np.maximum(np.isfinite(self.looks).sum(axis=1), 1)
        density: Array = _T3 * kernel.sum(axis=2) / (count * self.width)[:, None]
        return density


@dataclass(frozen=True, slots=True)
class Explained:
    """The best explanation of the newest looks of n meters: nats, over how many looks, leak and mean in L/h."""

    nats: Array
    many: Array
    leak: Array
    mean: Array


class DayLooks:
    """Ring of the newest looks of each meter."""

    def __init__(self) -> None:
        self.table = Table(
            {
                "looks": Field("f4", np.nan, (_KEPT,)),
                "begun_us": Field("i8", NEVER, (PARTS * WINDOW,)),
                "held": Field("f4", 0.0, (PARTS * WINDOW, 2)),
                "pushed": Field("i4"),
                "run": Field("i2"),
                "parts": Field("i1", 1),
                "half": Field("?"),
            }
        )

    def push(self, rows: Rows, new: Parts, which: Array) -> None:
        """A part at each of `rows` (distinct) where `which` (n,) bool; the others' run ends."""
        t = self.table
        t["run"][rows] = np.where(which, t["run"][rows], 0)
        first = new.half ^ new.long
        lame = which & new.two & (t["half"][rows] == first) & (t["pushed"][rows] > 0)
        if lame.any():  # a half is unknown: the next one keeps its place
            nothing = np.full(int(lame.sum()), np.nan)
            self._put(rows[lame], nothing, new.start_us[lame], np.zeros((len(nothing), 2)))
        held = new.held / np.where(new.long, 2, 1)[:, None]
        for one in (which, which & new.long):
            self._put(rows[one], new.rate[one], new.start_us[one], held[one])
        t["half"][rows] = np.where(which, new.half, t["half"][rows])

    def _put(self, r: Rows, x: Array, start_us: Array, held: Array) -> None:
        t = self.table
        pushed = t["pushed"][r]
        t["looks"][r, pushed % _KEPT] = x
        t["begun_us"][r, pushed % (PARTS * WINDOW)] = start_us
        t["held"][r, pushed % (PARTS * WINDOW)] = held
        t["pushed"][r] = pushed + 1
        t["run"][r] = np.minimum(t["run"][r] + 1, PARTS * WINDOW)

    def begun_us(self, rows: Rows, many: Array) -> Array:
        """(n,) begin of the newest (n,) many looks."""
        t = self.table
        back = np.maximum(many, 1) * t["parts"][rows]
        begun: Array = t["begun_us"][rows, (t["pushed"][rows] - back) % (PARTS * WINDOW)]
        return begun

    def _newest(self, rows: Rows, many: int) -> tuple[Array, Array]:
        """(n, many) looks, the newest first, and (n, many) whether there are so many; of half a day what is known."""
        t, at = self.table, rows[:, None]
        parts, pushed = t["parts"][at], t["pushed"][at]
        age = np.arange(many)[None, :]
        last = t["looks"][at, (pushed - 1 - parts * age) % _KEPT].astype(np.float64)
        first = t["looks"][at, (pushed - parts * (age + 1)) % _KEPT].astype(np.float64)
        mean = np.where(np.isnan(last), first, np.where(np.isnan(first), last, (last + first) / 2))
        return mean, parts * (age + 1) <= pushed

    def _halves(self, rows: Rows) -> Array:
        """(n, PARTS * WINDOW) halves of days, the newest first; infinite where days have none or it is not known."""
        t = self.table
        age = np.arange(PARTS * WINDOW)[None, :]
        halves = t["looks"][rows[:, None], (t["pushed"][rows][:, None] - 1 - age) % _KEPT]
        known = (t["parts"][rows] == PARTS)[:, None] & np.isfinite(halves)
        return np.where(known, halves.astype(np.float64), np.inf)

    def habit(self, rows: Rows, followed: Array) -> Habit:
        """Of the looks before the window that the next look will end; `followed` (n,) bool: fewer looks do."""
        looks, there = self._newest(rows, _DAYS)
        pushed = self.table["pushed"][rows] // self.table["parts"][rows]
        window = clip(pushed + 1 - _NEEDED, 3, WINDOW) - 1
        age = np.arange(_DAYS)[None, :]
        inside = there & (age >= window[:, None]) & (age < window[:, None] + HABIT)
        ordered = np.sort(np.where(inside, looks, np.nan), axis=1)[:, :HABIT]
        count = np.isfinite(ordered).sum(axis=1)
        some = np.maximum(count, 1)
        zeroed = np.where(np.isfinite(ordered), ordered, 0.0)
        mean = zeroed.sum(axis=1) / some
        apart = np.where(np.isfinite(ordered), ordered - mean[:, None], 0.0)
        deviation = np.sqrt((apart * apart).sum(axis=1) / some)
        median, low, high = (sorted_quantile(ordered, count, q) for q in (0.5, 0.1, 0.9))
        far = np.sort(np.abs(ordered - median[:, None]), axis=1)
        least = np.maximum(_LEAST_SHARE * mean, LEAST_LITRES_PER_H)
        spread = np.maximum((high - median) / 1.2816, 1.4826 * sorted_quantile(far, count, 0.5))
        width = _BANDWIDTH * np.minimum((high - low) / 2.5631, deviation)
        known = count >= np.where(followed, _FOLLOWED, _NEEDED)
        return Habit(
            ordered, known, np.where(known, median, 0.0), mean, zeroed.max(axis=1, initial=0.0),
            np.where(known, np.maximum(spread, least), least),
            np.where(known, np.maximum(width, 0.6 * least), least),
        )  # fmt: skip

    def explained(self, rows: Rows, habit: Habit) -> Explained:
        """Habit and a constant more, against habit or any use."""
        looks, _ = self._newest(rows, WINDOW)
        run = self.table["run"][rows] // self.table["parts"][rows]
        looks = np.where(np.arange(WINDOW)[None, :] < run[:, None], looks, 0.0)
        plain = habit.density(looks)
        halves = self._halves(rows)
        nats, many = np.full(len(rows), -np.inf), np.zeros(len(rows), np.intp)
        leak, mean = np.zeros(len(rows)), habit.median.copy()
        for k in _SPANS:
            newest = looks[:, :k]
            middle = np.median(newest, axis=1)
            least = np.minimum(newest.min(axis=1), halves[:, : PARTS * k].min(axis=1))
            q = np.minimum(middle - habit.median, least)
            asked = habit.known & (run >= k) & (q > LEAST_LITRES_PER_H)
            if not asked.any():
                continue
            any_use = 0.5 / np.maximum(np.maximum(middle, habit.median), 1.0)[:, None]
            ratio = np.log(habit.density(newest - q[:, None]) + _RARE * any_use)
            ratio -= np.log(plain[:, :k] + any_use)
            total = clip(ratio, -_CLIP, _CLIP).sum(axis=1)
            better = asked & (total > nats)
            nats, many = np.where(better, total, nats), np.where(better, k, many)
            leak, mean = np.where(better, q, leak), np.where(better, newest.mean(axis=1), mean)
        return Explained(nats, many, leak, mean)

    def beyond(
        self, rows: Rows, habit: Habit, found: Explained, hours: Array, limit: float
    ) -> tuple[Explained, Array]:
        """The same, and (n,) bool: it is a volume that no day ever had; then that is what was found."""
        looks, _ = self._newest(rows, 2)
        run = self.table["run"][rows] // self.table["parts"][rows]
        far = looks > habit.far[:, None]
        litres = (looks - habit.median[:, None]) * hours[:, None]
        two = (run >= 2) & far.all(axis=1) & (litres.sum(axis=1) > _TWO_LITRES)
        one = (run >= 1) & far[:, 0] & (litres[:, 0] > _ONE_LITRES)
        volume = habit.known & (two | one) & (found.nats <= limit)
        k = np.where(two, 2, 1)
        mean = np.where(two, looks.mean(axis=1), looks[:, 0])
        return Explained(
            found.nats,
            np.where(volume, k, found.many),
            np.where(volume, mean - habit.median, found.leak),
            np.where(volume, mean, found.mean),
        ), volume

    def held(self, rows: Rows, many: Array) -> Array:
        """(n, 2) hours seen and readings of the newest looks."""
        t = self.table
        age = np.arange(PARTS * WINDOW)[None, :]
        place = (t["pushed"][rows][:, None] - 1 - age) % (PARTS * WINDOW)
        held = t["held"][rows[:, None], place]
        newest = age < (many * t["parts"][rows])[:, None]
        total: Array = np.where(newest[:, :, None], held, 0.0).sum(axis=1)
        return total

    def forget_newest(self, rows: Rows, many: Array) -> None:
        """The newest looks are a leak's, and no habit."""
        t = self.table
        many = many * t["parts"][rows]
        for back in range(PARTS * WINDOW):
            r = rows[many > back]
            t["looks"][r, (t["pushed"][r] - 1 - back) % _KEPT] = np.nan
        t["pushed"][rows] -= many
        t["run"][rows] = 0

    def forget(self, rows: Rows) -> None:
        """Begin again."""
        self.table["looks"][rows] = np.nan
        self.table["pushed"][rows] = self.table["run"][rows] = 0
