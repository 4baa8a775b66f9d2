"""The models of a scenario, and their readings merged into one stream in the order of time."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import count

from services.domain.instant import HOUR_US
from services.domain.sensor import Sensor
from simulators.reading import Model, Reading
from simulators.scenario import Scenario
from simulators.traffic.model import TrafficModel
from simulators.water.model import WaterModel


class City:
    """All devices of a scenario, whose live part begins at `live_us`."""

    def __init__(self, scenario: Scenario, live_us: int) -> None:
        start_us = live_us - round(scenario.history_h * HOUR_US)
        self.live_us = live_us
        self._models: list[Model] = []
        if scenario.water is not None and scenario.water.homes:
            self._models.append(WaterModel(scenario.water, scenario.seed, start_us, live_us))
        if scenario.traffic is not None and scenario.traffic.stations:
            self._models.append(TrafficModel(scenario.traffic, scenario.seed, start_us, live_us))
        self._waiting: list[tuple[int, int, Reading]] = []
        self._order = count()

    @property
    def sensors(self) -> Sequence[Sensor]:
        """Every device."""
        return [sensor for model in self._models for sensor in model.sensors]

    def readings(self, until_us: int | None = None) -> Iterator[Reading]:
        """What is observed before `until_us`, in the order of time; a later call goes on from there."""
        while self._models:
            model = min(self._models, key=lambda each: each.clock_us)
            ready_us = model.clock_us if until_us is None else min(model.clock_us, until_us)
            while self._waiting and self._waiting[0][0] < ready_us:
                yield heapq.heappop(self._waiting)[2]
            if until_us is not None and model.clock_us >= until_us:
                return
            for reading in model.step():
                item = (reading.observed_us, next(self._order), reading)
                heapq.heappush(self._waiting, item)

    def truth(self) -> dict[str, object]:
        """The truth of each model by its field; that of the only one where there is one."""
        truths = [model.truth() for model in self._models]
        if len(truths) == 1:
            return truths[0]
        return {str(each["domain"]): each for each in truths}
