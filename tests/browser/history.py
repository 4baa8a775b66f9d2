"""A meter with a day of readings that bursts, and charts that are drawn: what several tests of the console need."""

import math
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Page

from tests.api_server import METER, STATION, Api, register, store

NOW = datetime.now(UTC).replace(second=0, microsecond=0)
ONSET = NOW - timedelta(minutes=45)
REFUSED = "Failed to load resource"
"""What the browser's console says of an answer that is no success."""


def with_history(api: Api) -> None:
    """A meter with a day of flow that bursts at ONSET, and a gap of an hour."""
    number = register(api.database_url, [METER, STATION])[METER.id]
    times = [
        time
        for minute in range(24 * 60)
        if not 300 <= minute < 360
        for time in [NOW - timedelta(minutes=24 * 60 - minute)]
    ]
    flow = [
        1840.0 + 30 * math.sin(i / 3) if time >= ONSET else 35 + 20 * math.sin(i / 40)
        for i, time in enumerate(times)
    ]
    store(api.database_url, METER, number, times, flow_litres_per_h=flow)


def wait_until_painted(page: Page) -> None:
    """Until the first chart has a line on it: two thousand pixels and more that are not empty."""
    page.wait_for_function(
        """() => {
          const canvas = document.querySelector('.plot canvas');
          if (!canvas) return false;
          const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
          let filled = 0;
          for (let i = 3; i < data.length; i += 4) filled += data[i] > 0;
          return filled > 2000;
        }"""
    )
