"""Search over HTTP: every kind, every word, the best first, nothing read as a pattern."""

from dataclasses import replace
from typing import Any

import httpx

from services.domain.catalogue import SensorKind
from services.domain.condition import Rule
from services.domain.sensor import Sensor
from tests.api_server import METER, STATION, Api, register, say


def found(reader: httpx.Client, text: str, **more: Any) -> dict[str, Any]:
    answer = reader.get("/v1/search", params={"q": text, **more})
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def ids(document: dict[str, Any]) -> list[str]:
    return [each["id"] for each in document["sensors"]]


def test_sensors_places_and_alerts_are_found_by_words(api: Api, reader: httpx.Client) -> None:
    mill = Sensor("A-1", SensorKind.WATER_METER, name="Old Mill", zone="Millside")
    south = replace(STATION, id="T-2", direction="south")
    register(api.database_url, [METER, STATION, south, mill, Sensor("mill", SensorKind.PUMP)])
    alert = say(api.database_url)
    other = say(
        api.database_url, subject="T-1", rule=Rule.CONGESTION, sentence="A jam, 100% of it."
    )
    mills = found(reader, "mill")
    assert ids(mills) == ["mill", "A-1", "M-17"], "the id itself first"
    assert mills["zones"] == [{"zone": "Millside", "sensors": 1}]
    assert [each["id"] for each in mills["alerts"]] == [str(alert.id)], "by its sentence"
    assert ids(found(reader, "old MILL")) == ["A-1"], "every word, in any case"
    assert ids(found(reader, "14 m")) == ["M-17"]
    assert found(reader, "m-30")["roads"] == [
        {"road": "M-30", "direction": "north", "sensors": 1},
        {"road": "M-30", "direction": "south", "sensors": 1},
    ]
    assert [each["direction"] for each in found(reader, "m-30 sou")["roads"]] == ["south"]
    [by_id] = found(reader, str(other.id)[:13].upper())["alerts"]
    assert (by_id["id"], by_id["name"], by_id["state"]) == (str(other.id), STATION.name, "active")
    assert [each["id"] for each in found(reader, "t-1")["alerts"]] == [str(other.id)]


def test_what_is_typed_is_read_literally(api: Api, reader: httpx.Client) -> None:
    register(api.database_url, [METER])
    say(api.database_url, sentence="100% of it")
    nothing: dict[str, list[object]] = {"sensors": [], "zones": [], "roads": [], "alerts": []}
    for text in ("_____", "M%7", "\\", "' OR 1=1 --", "zzzz", "12345678-90ab"):
        assert found(reader, text) == nothing, text
    assert len(found(reader, "100%")["alerts"]) == 1
    assert len(found(reader, "m", limit=1)["sensors"]) == 1
    for wrong in ({"q": " "}, {"q": "a\x00b"}, {}, {"q": "m", "limit": 0}):
        assert reader.get("/v1/search", params=wrong).status_code == 422, wrong
    with api.client() as nobody:
        assert nobody.get("/v1/search", params={"q": "m"}).status_code == 401


def test_alerts_of_a_road_and_direction(api: Api, reader: httpx.Client) -> None:
    south = replace(STATION, id="T-2", direction="south")
    register(api.database_url, [METER, STATION, south])
    say(api.database_url)
    say(api.database_url, subject="T-1", rule=Rule.CONGESTION)
    say(api.database_url, subject="T-2", rule=Rule.CONGESTION)

    def subjects(**chosen: str) -> list[str]:
        items = reader.get("/v1/alerts", params=chosen).json()["items"]
        return sorted(each["subject"] for each in items)

    assert subjects(road="M-30") == ["T-1", "T-2"]
    assert subjects(road="M-30", direction="south") == ["T-2"]
    assert subjects(road="M-31") == []
