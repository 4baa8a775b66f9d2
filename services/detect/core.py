"""The detectors of all sensors as one vectorised core: batches in, conditions out, state as bytes by shard.

Readings of one sensor are taken in the order of the feed; a batch that holds a sensor several times is taken in
rounds, so that the result does not depend on how the feed is cut. It refuses clocks, input and output, and logging:
time is an argument, `now_us` of `tick`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from services.detect.detector_settings import DetectorSettings
from services.detect.detectors.silent import Silent
from services.detect.paces import Paces
from services.detect.price import priced
from services.detect.repeats import without_repeats
from services.detect.rounds import Rounds
from services.detect.state import CorruptState, ShardState, opened, packed
from services.detect.table import Array, Rows, Table
from services.detect.watches.registry import ALONE, WATCHES
from services.detect.watches.watch import Watch
from services.detect.watches.zone_watch import ZoneWatch
from services.domain.batch import ReadingBatch
from services.domain.catalogue import DOMAIN_OF_KIND, Domain, SensorKind
from services.domain.condition import Condition
from services.domain.errors import InvalidInput
from services.domain.instant import OLDEST_US
from services.domain.sensor import SHARDS, Sensor, shard_of

_LARGEST: Final = 1e13
"""A value beyond is taken as missing: no meter, no road, and no safe square."""
_FARTHEST_US: Final = 4_102_444_800_000_000  # 2100-01-01
_NUMBER_LIMIT: Final = 1 << 27


class Core:
    """All detectors over all sensors.

    Args:
        settings: one configuration for all.
        sensors: (number in the database, sensor); more may come later.
    """

    def __init__(
        self, settings: DetectorSettings, sensors: Sequence[tuple[int, Sensor]] = ()
    ) -> None:
        self.settings = settings
        self._silent = Silent(settings)
        self._watches: dict[SensorKind, Watch] = {
            kind: make(settings) for kind, make in WATCHES.items()
        }
        self._zones = ZoneWatch.among(self._watches.values())
        self._kinds: Final = tuple(self._watches)
        self._ids: list[str] = []
        self._row_of = np.full(0, -1, np.int32)
        self._number: list[int] = []
        self._kind = np.empty(0, np.int8)
        self._watch_row = np.empty(0, np.int32)
        self._shard = np.empty(0, np.int16)
        self._size = [0] * len(self._kinds)
        self._changed = np.zeros(SHARDS, np.bool_)
        self._rounds = Rounds()
        self._paces = Paces()
        self.add_sensors(sensors)

    def __len__(self) -> int:
        return len(self._ids)

    def add_sensors(self, sensors: Sequence[tuple[int, Sensor]]) -> None:
        """Watch these too; numbers that are known already are left as they are.

        Raises:
            InvalidInput: a number is negative or beyond 2^27.
        """
        fresh: dict[int, Sensor] = {}
        for number, sensor in sensors:
            if not 0 <= number < _NUMBER_LIMIT:
                raise InvalidInput("sensor number", number, f"0 to {_NUMBER_LIMIT - 1}")
            if number >= len(self._row_of) or self._row_of[number] < 0:
                fresh[number] = sensor
        if not fresh:
            return
        largest = max(fresh)
        if largest >= len(self._row_of):
            grown = np.full(max(largest + 1, 2 * len(self._row_of)), -1, np.int32)
            grown[: len(self._row_of)] = self._row_of
            self._row_of = grown
        kinds, rows, shards = [], [], []
        by_kind: dict[SensorKind, list[Sensor]] = {}
        for number, sensor in fresh.items():
            self._row_of[number] = len(self._ids)
            self._ids.append(sensor.id)
            self._number.append(number)
            index = self._kinds.index(sensor.kind) if sensor.kind in self._watches else -1
            kinds.append(index)
            rows.append(self._size[index] if index >= 0 else -1)
            if index >= 0:
                self._size[index] += 1
                by_kind.setdefault(sensor.kind, []).append(sensor)
            shards.append(sensor.shard)
        self._kind = np.concatenate([self._kind, np.array(kinds, np.int8)])
        self._watch_row = np.concatenate([self._watch_row, np.array(rows, np.int32)])
        self._shard = np.concatenate([self._shard, np.array(shards, np.int16)])
        self._rounds.reserve(len(self._ids))
        self._silent.add(list(fresh.values()))
        self._paces.add(list(fresh.values()))
        for kind, chosen in by_kind.items():
            self._watches[kind].add(chosen)
            if kind is SensorKind.WATER_METER:
                self._zones.add_meters(chosen)

    def step(self, batch: ReadingBatch, now_us: int) -> list[Condition]:
        """Take a batch of the feed and return what it changes, by round.

        Args:
            batch: readings in the order of the feed; unknown sensors, times before 2000 and after 2100 are skipped.
            now_us: stream time; kept for the contract, `step` decides by the readings' own times alone.
        """
        del now_us
        number = batch.sensor
        inside = (number >= 0) & (number < len(self._row_of))
        row = np.full(len(batch), -1, np.intp)
        row[inside] = self._row_of[number[inside]]
        at = batch.observed_us
        use = (row >= 0) & (at >= OLDEST_US) & (at <= _FARTHEST_US)
        chosen = np.flatnonzero(use)
        if chosen.size == 0:
            return []
        metrics = {name: _clean(column) for name, column in batch.metrics.items()}
        core_row = row[chosen]
        self._changed[self._shard[core_row]] = True
        news = np.zeros(len(batch), np.bool_)
        news[without_repeats(chosen, core_row, at[chosen], metrics, len(self._ids))] = True
        fresh = news[chosen]
        out: list[Condition] = []
        lookers = [
            self._watches[kind]
            for k, kind in enumerate(self._kinds)
            if DOMAIN_OF_KIND[kind] is batch.domain and self._size[k] and kind not in ALONE
        ]
        segments = self._paces.segments(
            batch.domain, at[chosen], batch.received_us[chosen], core_row, cut=bool(lookers)
        )
        for every, done_us in segments:
            segment = every[fresh[every]]
            for part in self._rounds.split(core_row[segment]) if segment.size else ():
                place = segment[part]
                out += self._round(core_row[place], at, chosen[place], metrics)
            if done_us is not None:
                for watch in lookers:
                    out += watch.look(done_us)
        return priced(out, self.settings.water_price_per_m3, self.settings.currency)

    def _round(
        self, rows: Rows, at: Array, index: Rows, metrics: Mapping[str, Array]
    ) -> list[Condition]:
        """One reading of each of `rows` (distinct): the batch's rows at `index`."""
        times = at[index]
        out = self._silent.observe(self._ids, rows, times)
        kinds = self._kind[rows]
        first = int(kinds[0])
        if (kinds == first).all():
            return out + self._watch(first, rows, times, index, metrics) if first >= 0 else out
        for k in range(len(self._kinds)):
            mine = np.flatnonzero(kinds == k)
            if mine.size:
                out += self._watch(k, rows[mine], times[mine], index[mine], metrics)
        return out

    def _watch(
        self, k: int, rows: Rows, times: Array, index: Rows, metrics: Mapping[str, Array]
    ) -> list[Condition]:
        watch = self._watches[self._kinds[k]]
        values = [
            metrics[c][index] if c in metrics else np.full(len(index), np.nan)
            for c in watch.columns
        ]
        return watch.step(self._watch_row[rows].astype(np.intp), times, values)

    def tick(self, now_us: int) -> list[Condition]:
        """What time alone tells at now_us. Call it when the feed has been read up to now_us, not while it lags."""
        out = self._silent.tick(self._ids, now_us)
        if out:
            subjects = {c.subject for c in out}
            for row, name in enumerate(self._ids):
                if name in subjects:
                    self._changed[self._shard[row]] = True
            for subject in subjects:  # that of no sensor has its facts in a shard of its own
                self._changed[shard_of(subject)] = True
        return out

    def newest_us(self, numbers: Array) -> Array:
        """(n,) the newest time that each sensor (by number) has spoken of, microseconds since 1970; 0 for never."""
        inside = (numbers >= 0) & (numbers < len(self._row_of))
        newest = np.zeros(len(numbers), np.int64)
        rows = np.full(len(numbers), -1, np.intp)
        rows[inside] = self._row_of[numbers[inside]]
        known = rows >= 0
        newest[known] = np.maximum(self._silent.table["last_us"][rows[known]], 0)
        return newest

    def clock_us(self, domain: Domain) -> int:
        """The newest credible time of a domain's feed; `table.NEVER` before its first reading."""
        return self._paces.clock_us(domain)

    def adopt(self, other: Core, numbers: Sequence[int]) -> None:
        """Take over another core's state of these sensors, except for when they were last heard."""
        mine = self._row_of[list(numbers)].astype(np.intp)
        theirs = other._row_of[list(numbers)].astype(np.intp)
        for (_, k, table), (_, _, source) in zip(self._tables(), other._tables(), strict=True):
            if k is not None:
                of_kind = self._kind[mine] == k
                rows = other._watch_row[theirs[of_kind]].astype(np.intp)
                table.put(self._watch_row[mine[of_kind]].astype(np.intp), source.take(rows))
        self._changed[self._shard[mine]] = True

    # ---- state as bytes

    def changed_shards(self) -> list[int]:
        """Shards whose state differs from their last `dumps` or `loads`."""
        return np.flatnonzero(self._changed).tolist()

    def _tables(self) -> Iterator[tuple[str, int | None, Table]]:
        for name, table in self._silent.tables.items():
            yield name, None, table
        yield "said", None, self._paces.said
        for k, kind in enumerate(self._kinds):
            for name, table in self._watches[kind].tables().items():
                yield f"{kind.value}/{name}", k, table

    def bytes_per_sensor(self) -> dict[str, int]:
        """Bytes of state of one sensor, by kind."""
        common = sum(t.bytes_per_row for _, k, t in self._tables() if k is None)
        return {
            kind.value: common + sum(t.bytes_per_row for _, j, t in self._tables() if j == k)
            for k, kind in enumerate(self._kinds)
        }

    def dumps(self, shard: int) -> bytes:
        """The state of a shard's sensors, versioned; `loads` in another core of the same sensors continues exactly."""
        rows = np.flatnonzero(self._shard == shard)
        arrays: dict[str, Array] = {}
        for name, k, table in self._tables():
            mine = (
                rows if k is None else self._watch_row[rows[self._kind[rows] == k]].astype(np.intp)
            )
            for field, array in table.take(mine).items():
                arrays[f"{name}.{field}"] = array
        facts = {
            "feeds": self._silent.feeds.facts(),
            "pace": self._paces.facts(),
            "kinds": [kind.value for kind in self._kinds],
        }
        numbers = np.array([self._number[row] for row in rows.tolist()], np.int64)
        self._changed[shard] = False
        return packed(shard, ShardState(numbers, self._kind[rows], arrays, facts))

    def loads(self, shard: int, data: bytes) -> None:
        """Set a shard's state to what `dumps` wrote; sensors that are not known here are skipped.

        Raises:
            CorruptState: wrong magic, version, shard or checksum. Nothing has changed then.
        """
        state = opened(shard, data, [kind.value for kind in self._kinds])
        known = (state.numbers >= 0) & (state.numbers < len(self._row_of))
        rows = np.full(len(known), -1, np.intp)
        rows[known] = self._row_of[state.numbers[known]]
        try:
            self._restore(rows, state.kinds, state.arrays)
        except (KeyError, ValueError, IndexError) as error:
            raise CorruptState(
                f"the state of shard {shard} does not fit this version: {error}"
            ) from error
        self._paces.restore(state.facts["pace"])
        self._silent.feeds.restore(state.facts["feeds"])
        self._silent.forget_schedule()
        self._changed[shard] = False

    def _restore(self, rows: Array, kinds: Array, stored: Mapping[str, Array]) -> None:
        plan: list[tuple[Table, Rows, dict[str, Array]]] = []
        for name, k, table in self._tables():
            of_kind = (
                rows if k is None else rows[kinds == k]
            )  # as stored: the shard's sensors of the kind, in order
            here = of_kind >= 0
            if k is not None:
                here &= np.where(here, self._kind[np.where(here, of_kind, 0)] == k, False)
            into = of_kind[here] if k is None else self._watch_row[of_kind[here]]
            entries = {f: stored[f"{name}.{f}"][here] for f in table.fields}
            plan.append((table, into.astype(np.intp), entries))
        for table, into, entries in plan:
            table.put(into, entries)


def _clean(column: Array) -> Array:
    """The column with everything that is no measurement (infinite, absurd) as NaN."""
    return np.where(np.abs(column) <= _LARGEST, column, np.nan)
