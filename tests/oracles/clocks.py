"""Feeds whose sensors have right and wrong clocks: ahead, behind, jumping, returning; late and repeated readings."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import NamedTuple

import numpy as np

from services.detect.pace import Pace, words
from services.detect.voices import said
from services.domain.instant import DAY_US, HOUR_US, SECOND_US
from tests.oracles.feeds import START_US

AWAY_US = [h * HOUR_US for h in (2, 5, 30, 24 * 40, 24 * 3650)]
RECEIPTS = ("none", "live", "replay")
WRONG = ("ahead", "behind", "jumps", "returns")


class Said(NamedTuple):
    """One reading."""

    sensor: int
    at_us: int
    received_us: int


@dataclass
class Gateway:
    """Sensors of one clock.

    Attributes:
        kind: "sound", one of WRONG, or "little": ahead by less than an hour.
        away_us: by how much it is wrong.
        sensors: how many; cadence_us: between the readings of each.
    """

    kind: str
    away_us: int
    sensors: int
    cadence_us: int = HOUR_US

    def off_us(self, true_us: int, until_us: int, random: Random) -> int:
        """What is added to the true time, since the start."""
        match self.kind:
            case "ahead":
                return self.away_us
            case "behind":
                return -self.away_us
            case "jumps":
                return random.choice((0, 1, -1)) * self.away_us
            case "returns":
                return self.away_us * (until_us < 3 * true_us < 2 * until_us)
            case "little":
                return 50 * 60 * SECOND_US
            case _:
                return 0


def feed(
    gateways: list[Gateway], hours: int, receipts: str, random: Random, unsteady: bool = True
) -> list[Said]:
    """Readings in the order of arrival; the sound ones of the first hour come first.

    Args:
        receipts: "none": no more is known than the readings' times; "live": seconds after the true time, and
            what is more than an hour ahead is rejected; "replay": years later.
        unsteady: with an outage of most sensors, late readings and repeated ones.
    """
    dark = random.randrange(hours), random.randrange(60)
    rows: list[tuple[int, int, Said]] = []
    number = 0
    for gateway in gateways:
        for _ in range(gateway.sensors):
            true = random.randrange(gateway.cadence_us)
            if gateway.kind != "sound":
                true += gateway.cadence_us
            while true < hours * HOUR_US:
                at = START_US + true + gateway.off_us(true, hours * HOUR_US, random)
                here = START_US + true + 5 * SECOND_US
                received = {
                    "none": at,
                    "live": here,
                    "replay": START_US + 4000 * DAY_US,
                }
                one = Said(number, at, received[receipts])
                out = dark[0] * HOUR_US < true < sum(dark) * HOUR_US
                rejected = receipts == "live" and at > here + HOUR_US
                if not (rejected or (unsteady and out and random.random() < 0.95)):
                    late = (
                        random.choice((0, 3, 30)) * HOUR_US * (unsteady and random.random() < 0.05)
                    )
                    rows.append((true + late, number, one))
                    if unsteady and random.random() < 0.05:
                        again = true + late + random.choice((0, 1, 5)) * HOUR_US
                        rows.append((again, number, one))
                true += gateway.cadence_us
            number += 1
    return [row[2] for row in sorted(rows)]


def pace_of(sensors: int, bin_us: int = HOUR_US) -> Pace:
    """A pace that knows sensors 0, 1, ..."""
    table = said()
    table.add(sensors)
    pace = Pace(bin_us, table)
    pace.voices.join(np.arange(sensors))
    return pace


def ends(pace: Pace, readings: list[Said], cuts: list[int] | range = range(0)) -> list[int]:
    """The ends of bins, in whole seconds since the start, of the readings cut before the given ones."""
    found = []
    edges = sorted({0, len(readings), *(c for c in cuts if 0 < c < len(readings))})
    for a, b in pairwise(edges):
        sensor, at_us, received_us = np.array(readings[a:b], np.int64).T
        seen = 0
        for segment, end_us in pace.segments(*words(at_us, received_us), sensor):
            assert segment.tolist() == list(range(seen, seen + len(segment)))
            seen += len(segment)
            if end_us is not None:
                found.append((end_us - START_US) // SECOND_US)
        assert seen == b - a
    return found


def state(pace: Pace) -> tuple[list[int], list[list[int]]]:
    """All that a pace remembers."""
    every = np.arange(pace.voices.table.n)
    return pace.facts(), [column.tolist() for column in pace.voices.table.take(every).values()]
