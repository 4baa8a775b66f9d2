"""The native payload: what is read, and the one reason for each way of being wrong."""

import json
import logging
import re
from collections.abc import Sequence

import numpy as np
import pytest

from services.domain.catalogue import Domain
from services.domain.instant import parse_time
from services.domain.rejection import WHAT_TO_DO, RejectReason
from services.domain.sentences.language import LANGUAGES
from services.domain.sentences.rejected import said_of
from services.ingest.blocks import WHOLE, Decoded, Measurement
from services.ingest.decoders import DECODERS
from services.ingest.decoders.base import Decoder, Group, MessageDecoder, decode_guarded
from services.ingest.decoders.json_document import Refused
from services.ingest.decoders.native import NativeDecoder
from services.ingest.formats import DEFAULT_TOPICS, Format
from services.ingest.messages import Route, RouteTable, first_match, matches

TOPIC = "citygauge/v1/water/m1/reading"
GOOD = {"time": "2026-11-22T01:00:00Z", "values": {"register": 70911.0}, "units": {"register": "L"}}


def decode(payload: object, topic: str = TOPIC, units: dict[str, str] | None = None) -> Decoded:
    decoder = NativeDecoder()
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    route = decoder.route(topic)
    assert not route.problem
    return decoder.decode(Group([0], [route], [body], (units or {}).get))


def only_refusal(payload: object, topic: str = TOPIC) -> tuple[RejectReason, str]:
    decoded = decode(payload, topic)
    assert not decoded.blocks
    assert len(decoded.refusals) == 1
    return decoded.refusals[0].reason, decoded.refusals[0].detail


def test_one_reading() -> None:
    (block,) = decode({**GOOD, "units": {"register": "m3"}, "quality": "estimated"}).blocks
    assert block.domain is Domain.WATER
    assert block.sensor_id == ["m1"]
    assert block.observed_us.tolist() == [parse_time("2026-11-22T01:00:00Z")]
    assert block.metrics["register_litres"].tolist() == [70911000.0]
    assert block.estimated.tolist() == [True]
    assert block.element.tolist() == [WHOLE]


def test_an_array_speaks_for_other_sensors_too() -> None:
    (block,) = decode([GOOD, {**GOOD, "sensor_id": "m2"}]).blocks
    assert block.sensor_id == ["m1", "m2"]
    assert block.element.tolist() == [0, 1]


def test_columns() -> None:
    decoded = decode(
        {
            "units": {"register": "m3", "battery": "1"},
            "columns": {
                "time": ["2026-11-22T01:00:00Z", 1795309200],
                "sensor_id": ["m7", "m8"],
                "quality": ["good", "estimated"],
                "register": [1.5, None],
                "battery": [None, 0.5],
            },
        }
    )
    (block,) = decoded.blocks
    assert not decoded.refusals
    assert block.sensor_id == ["m7", "m8"]
    assert block.estimated.tolist() == [False, True]
    np.testing.assert_array_equal(block.metrics["register_litres"], [1500.0, np.nan])
    np.testing.assert_array_equal(block.metrics["battery_pct"], [np.nan, 50.0])


def test_a_registered_unit_stands_in_where_it_fits() -> None:
    payload = {"time": 1795309200, "values": {"register": 2}}
    (block,) = decode(payload, units={"m1": "m3"}).blocks
    assert block.metrics["register_litres"].tolist() == [2000.0]
    assert only_refusal(payload)[0] is RejectReason.MISSING_FIELD
    assert not decode({"time": 1795309200, "values": {"pressure": 2}}, units={"m1": "m3"}).blocks
    columns = {"columns": {"time": [1795309200], "register": [2]}}
    assert decode(columns, units={"m1": "m3"}).blocks[0].metrics["register_litres"][0] == 2000.0


def _with(**changes: object) -> dict[str, object]:
    return {**GOOD, **changes}


@pytest.mark.parametrize(
    ("payload", "reason", "says"),
    [
        (b"", RejectReason.NOT_JSON, "empty"),
        (b"{", RejectReason.NOT_JSON, "line 1"),
        (b'{"time":1}{', RejectReason.NOT_JSON, "Extra data"),
        (b'\xef\xbb\xbf{"a":1}', RejectReason.NOT_JSON, "BOM"),
        (b'{"time":"\xff"}', RejectReason.NOT_UTF8, "byte 9"),
        (json.dumps(GOOD).encode("utf-16"), RejectReason.NOT_UTF8, "byte 0"),
        (b"[" * 100_000, RejectReason.TOO_DEEP, "8 levels"),
        (b"[" * 20 + b"]" * 20, RejectReason.TOO_DEEP, "8 levels"),
        (b"7", RejectReason.WRONG_TYPE, "a number"),
        ([], RejectReason.NO_VALUE, "empty"),
        (_with(time=None), RejectReason.WRONG_TYPE, "time is null"),
        (_with(time=True), RejectReason.WRONG_TYPE, "boolean"),
        (_with(time="yesterday"), RejectReason.BAD_TIME, "yesterday"),
        (_with(time="2026-02-30T00:00:00Z"), RejectReason.BAD_TIME, "2026-02-30"),
        (_with(time="2026-11-22T01:00:00"), RejectReason.TIME_WITHOUT_ZONE, "no zone"),
        (_with(time=1e30), RejectReason.BAD_TIME, "1e+30"),
        (_with(time=float("nan")), RejectReason.NOT_FINITE, "time is nan"),
        (_with(values=3), RejectReason.WRONG_TYPE, "values is a number"),
        (_with(values={"register": "7"}), RejectReason.WRONG_TYPE, "a string"),
        (_with(values={"register": True}), RejectReason.WRONG_TYPE, "a boolean"),
        (_with(values={"register": [1]}), RejectReason.WRONG_TYPE, "an array"),
        (_with(values={}), RejectReason.NO_VALUE, "missing"),
        (_with(values={"register": None}), RejectReason.NO_VALUE, "missing"),
        (_with(values={"speed": 3}), RejectReason.UNKNOWN_METRIC, "'speed'"),
        (_with(values={"register": float("nan")}), RejectReason.NOT_FINITE, "values.register"),
        (_with(values={"register": float("-inf")}), RejectReason.NOT_FINITE, "values.register"),
        (
            b'{"time":1,"values":{"register":1e999},"units":{"register":"L"}}',
            RejectReason.NOT_FINITE,
            "values.register",
        ),
        (
            b'{"time":1,"values":{"register":1' + b"0" * 5000 + b'},"units":{"register":"L"}}',
            RejectReason.NOT_FINITE,
            "values.register",
        ),
        (
            _with(values={"register": 1e308}, units={"register": "m3"}),
            RejectReason.NOT_FINITE,
            "values.register",
        ),
        (_with(units={"register": "gal"}), RejectReason.UNKNOWN_UNIT, "[gal_us]"),
        (_with(units={"register": 5}), RejectReason.WRONG_TYPE, "units.register"),
        (_with(units={"speed": "km/h"}), RejectReason.UNKNOWN_METRIC, "'speed'"),
        (_with(units=None), RejectReason.WRONG_TYPE, "units is null"),
        (_with(units={}), RejectReason.MISSING_FIELD, "units.register"),
        ({"time": 1}, RejectReason.MISSING_FIELD, "values"),
        ({"values": {}}, RejectReason.MISSING_FIELD, "time"),
        (_with(extra=1), RejectReason.UNKNOWN_FIELD, "extra"),
        (_with(sensor_id=5), RejectReason.WRONG_TYPE, "sensor_id"),
        (_with(sensor_id="a/b"), RejectReason.BAD_SENSOR_ID, "a/b"),
        (_with(sensor_id="\ud800\x00"), RejectReason.BAD_SENSOR_ID, "ud800"),
        (_with(quality="fine"), RejectReason.WRONG_TYPE, "estimated"),
        ({"columns": []}, RejectReason.WRONG_TYPE, "columns is an array"),
        ({"columns": {}}, RejectReason.MISSING_FIELD, "columns.time"),
        ({"columns": {"time": []}}, RejectReason.NO_VALUE, "columns.time"),
        ({"columns": {"time": [1], "flow": [1, 2]}}, RejectReason.WRONG_TYPE, "2 entries"),
        ({"columns": {"time": [1], "speed": [1]}}, RejectReason.UNKNOWN_METRIC, "'speed'"),
        ({"columns": {"time": 1}}, RejectReason.WRONG_TYPE, "columns.time"),
        ({"columns": {"time": [1]}, "time": 2}, RejectReason.UNKNOWN_FIELD, "time"),
    ],
)
def test_each_way_of_being_wrong_has_its_reason(
    payload: object, reason: RejectReason, says: str
) -> None:
    found, detail = only_refusal(payload)
    assert found is reason, detail
    assert says in detail
    detail.encode()  # nothing that the database could not keep
    said = said_of(reason, detail)
    assert said is not None, "no template made it"
    spanish, _ = LANGUAGES["es"].say(said.as_dict())
    english = {"the", "is", "not", "are", "has", "have", "missing", "Expecting", "Extra", "an"}
    if "sensor_id" not in says:  # what a device sent may be English
        assert not english & set(re.findall(r"\w+", spanish.split("; ")[0])), spanish


def test_the_good_elements_of_an_array_are_kept_and_the_bad_ones_told_one_by_one() -> None:
    bad = {**GOOD, "time": "x", "sensor_id": "m9"}
    decoded = decode([GOOD, 7, bad, {**GOOD, "sensor_id": "m2"}])
    (block,) = decoded.blocks
    assert block.sensor_id == ["m1", "m2"]
    assert block.element.tolist() == [0, 3]
    assert [each.reason for each in decoded.refusals] == [
        RejectReason.WRONG_TYPE,
        RejectReason.BAD_TIME,
    ]
    assert [json.loads(each.body or b"") for each in decoded.refusals] == [7, bad]
    assert decoded.refusals[1].sensor_id == "m9"


def test_a_bad_row_of_columns_is_kept_as_a_message_that_would_decode_when_mended() -> None:
    columns = {"time": [1795309200, 1795309260], "register": [1, None], "sensor_id": ["m1", "m2"]}
    decoded = decode({"units": {"register": "L"}, "columns": columns})
    (refusal,) = decoded.refusals
    assert refusal.reason is RejectReason.NO_VALUE
    body = json.loads(refusal.body or b"")
    assert body["sensor_id"] == "m2"
    body["values"]["register"] = 4
    assert decode(body).blocks[0].sensor_id == ["m2"]


def test_a_bad_message_does_not_touch_its_neighbours() -> None:
    decoder = NativeDecoder()
    route = decoder.route(TOPIC)
    payloads = [json.dumps({**GOOD, "time": 1795309200 + k}).encode() for k in range(50)]
    payloads[20], payloads[30] = b"\xff", b'{"columns":{"time":["x",1e9],"level":[1,2]}}'
    decoded = decoder.decode(Group(range(50), [route] * 50, payloads, {"m1": "m"}.get))
    stored = sorted(m for block in decoded.blocks for m in block.message.tolist())
    assert stored == [*range(20), *range(21, 50)]
    assert [(each.message, each.reason) for each in decoded.refusals] == [
        (20, RejectReason.NOT_UTF8),
        (30, RejectReason.BAD_TIME),
    ]


def test_many_units_do_not_fill_the_memory() -> None:
    decoder = NativeDecoder()
    route = decoder.route(TOPIC)
    for start in range(0, 30_000, 1_000):
        payloads = [
            b'{"time":1795309200,"values":{"register":1},"units":{"register":"L"%s}}'
            % (b" " * (start + k))
            for k in range(0, 1_000, 50)
        ]
        n = len(payloads)
        assert len(decoder.decode(Group(range(n), [route] * n, payloads, {}.get)).blocks[0]) == n


@pytest.mark.parametrize(
    ("topic", "problem"),
    [
        ("citygauge/v1/air/m1/reading", "no domain"),
        ("citygauge/v1/water/m 1/reading", "sensor id"),
        ("citygauge/v1/water//reading", "sensor id"),
        ("citygauge/v1/water/m1/event", "does not end"),
        ("reading", "does not end"),
    ],
)
def test_topics_that_lead_nowhere(topic: str, problem: str) -> None:
    route = NativeDecoder().route(topic)
    assert route.format is None
    assert problem in route.problem


@pytest.mark.parametrize(
    ("topic_filter", "topic", "expected"),
    [
        ("a/+/c", "a/b/c", True),
        ("a/+/c", "a/b/c/d", False),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("a/+", "a", False),
        ("+/b", "/b", True),
        ("#", "$SYS/x", False),
        ("a/b", "a/B", False),
    ],
)
def test_topic_filters(topic_filter: str, topic: str, *, expected: bool) -> None:
    assert matches(topic_filter, topic) is expected


def test_routes_are_remembered_within_bounds() -> None:
    asked: list[str] = []

    def find(topic: str) -> Route:
        asked.append(topic)
        return Route(topic)

    table = RouteTable(find, limit=2)
    for topic in (b"a", b"a", b"b", b"c", b"\xff"):
        table[topic]
    assert asked == ["a", "b", "c", "\ufffd"]
    assert len(table) <= 2


def test_every_format_has_a_decoder_and_a_topic() -> None:
    assert set(DECODERS) == set(Format)
    assert set(DEFAULT_TOPICS.values()) == set(Format)
    assert first_match(DEFAULT_TOPICS, TOPIC) is Format.NATIVE
    assert set(WHAT_TO_DO) == set(RejectReason)


class _Faulty(MessageDecoder):
    def route(self, topic: str) -> Route:
        return Route(topic, "faulty")

    def measure(self, route: Route, payload: bytes, unit_of: object) -> Sequence[Measurement]:
        if payload == b"refused":
            raise Refused(RejectReason.WRONG_TYPE, "no")
        if payload == b"good":
            return [Measurement(Domain.TRAFFIC, "t1", 5, {"count_veh": 3.0})]
        raise KeyError("a bug")


def test_a_fault_of_a_decoder_rejects_the_message_and_stalls_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    route = Route("t", "faulty")
    group = Group([0, 1, 2], [route] * 3, [b"refused", b"bug", b"good"], {}.get)
    with caplog.at_level(logging.ERROR):
        decoded = _Faulty().decode(group)
    assert [each.reason for each in decoded.refusals] == [
        RejectReason.WRONG_TYPE,
        RejectReason.DECODER_ERROR,
    ]
    assert decoded.blocks[0].message.tolist() == [2]
    assert "decoder fault" in caplog.text


class _Fragile(Decoder):
    def route(self, topic: str) -> Route:
        return Route(topic, "fragile")

    def decode(self, group: Group) -> Decoded:
        if b"bug" in group.payloads:
            raise KeyError("a bug in the fast path")
        return NativeDecoder().decode(group)


def test_a_fault_in_bulk_costs_only_the_message_that_causes_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    route = NativeDecoder().route(TOPIC)
    body = json.dumps(GOOD).encode()
    with caplog.at_level(logging.ERROR):
        decoded = decode_guarded(
            _Fragile(), Group([4, 5, 6], [route] * 3, [body, b"bug", body], {}.get)
        )
    assert [block.message.tolist() for block in decoded.blocks] == [[4], [6]]
    assert [(each.message, each.reason) for each in decoded.refusals] == [
        (5, RejectReason.DECODER_ERROR)
    ]
