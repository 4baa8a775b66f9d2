"""A small town in which every page of the console has something to show."""

import math
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

from services.domain.catalogue import SensorKind
from services.domain.rejection import Rejection, RejectReason
from services.domain.sensor import Sensor
from services.store import rejected
from services.store.connection import connect, transaction
from tests.api_server import METER, STATION, register, say, store
from tests.browser.conftest import Console
from tests.browser.history import NOW, ONSET, with_history


def town(console: Console) -> list[str]:
    """Fill the console's database; the addresses of all pages."""
    url = console.api.database_url
    with_history(console.api)
    stations = [
        replace(STATION, position_m=12_000.0),
        replace(STATION, id="T-2", position_m=13_000.0),
    ]
    inlet = replace(METER, id="IN-3", kind=SensorKind.DMA_INLET)
    numbers = register(url, [*stations, inlet])
    times = [NOW - timedelta(minutes=5 * k) for k in reversed(range(288))]
    speeds = [80 + 20 * math.sin(k / 40) for k in range(288)]
    for station in stations:
        number = numbers[station.id]
        store(url, station, number, times, speed_km_per_h=speeds, flow_veh_per_h=speeds)
    store(url, inlet, numbers[inlet.id], times, flow_litres_per_h=[300.0] * len(times))
    register(url, [Sensor("M-18", SensorKind.WATER_METER, zone=METER.zone, lon=-0.37, lat=39.47)])
    alert = say(url, onset=ONSET, sentence="Flow jumped to 1,840. First: call the customer.")
    say(url, subject="M-18", onset=ONSET)
    with connect(url, "test", autocommit=True) as conn, transaction(conn):
        bad = Rejection(RejectReason.NOT_JSON, "no JSON at byte 3", "water/M-17", b'{"a')
        rejected.add(conn, [bad], NOW)
        number = rejected.page(conn, limit=1).items[0].id
    return [
        "#/", f"#/alert/{alert.id}", "#/map", "#/corridors", f"#/corridor/{STATION.road}", "#/zones",
        f"#/zone/{quote(str(METER.zone))}", "#/sensors", f"#/sensor/{METER.id}", "#/quality", "#/quality?tab=days",
        "#/quality?tab=rejected", f"#/rejected/{number}", "#/performance", "#/rules",
        "#/rule/burst",
        "#/expect", "#/expect?add=yes", "#/messages",
    ]  # fmt: skip
