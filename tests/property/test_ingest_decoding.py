"""Fast against plain: compiled decoder against the rules, numpy times against one time, the schema against both."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.domain.catalogue import CATALOGUE, Domain
from services.domain.errors import InvalidInput
from services.domain.instant import parse_time
from services.domain.units import CONVERSIONS
from services.ingest.blocks import Decoded, Measurement, Refusal, block_of
from services.ingest.bulk_time import INVALID, parse_times
from services.ingest.decoders.base import Group
from services.ingest.decoders.json_document import Refused
from services.ingest.decoders.native import NativeDecoder
from services.ingest.decoders.native_rules import read_message
from services.ingest.schema import native_schema, render

DECODER = NativeDecoder()
SCHEMA = {
    domain: jsonschema.Draft202012Validator(
        {**native_schema(), "anyOf": [{"$ref": f"#/$defs/{domain.value}"}]}
    )
    for domain in Domain
}
UNITS = {"m3-sensor": "m3", "none": None}

moments = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001 - the zone is added as text
time_texts = st.builds(
    lambda moment, mark, fraction, zone: (
        moment.strftime(f"%Y-%m-%d{mark}%H:%M:%S") + fraction + zone
    ),
    moments,
    st.sampled_from("Tt "),
    st.sampled_from(["", ".5", ".123", ".123456", ".123456789"]),
    st.sampled_from(["Z", "z", "+00:00", "-07:30", "+05:45"]),
)
times = st.one_of(
    time_texts,
    st.integers(946_684_800, 4_000_000_000),
    st.integers(946_684_800_000, 4_000_000_000_000),
    st.floats(946_684_800, 4e9),
)
junk = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=8),
        st.sampled_from(["2026-11-22T01:00:00", "2026-13-01T00:00:00Z", "L", "good", 1e300]),
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["time", "values", "register", "columns", "x"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@st.composite
def readings(draw: st.DrawFn, domain: Domain) -> dict[str, object]:
    metrics = draw(
        st.lists(st.sampled_from(CATALOGUE[domain].metrics), min_size=1, max_size=3, unique=True)
    )
    values = st.one_of(st.floats(-1e6, 1e6), st.integers(-(10**6), 10**6), st.none())
    reading: dict[str, object] = {
        "time": draw(times),
        "values": {metric.name: draw(values) for metric in metrics},
        "units": {
            metric.name: draw(st.sampled_from(list(CONVERSIONS[metric.quantity])))
            for metric in metrics
        },
    }
    if draw(st.booleans()):
        reading["sensor_id"] = draw(st.sampled_from(["m2", "m3-sensor", "none"]))
    if draw(st.booleans()):
        reading["quality"] = draw(st.sampled_from(["good", "estimated"]))
    return reading


@st.composite
def columns(draw: st.DrawFn, domain: Domain) -> dict[str, object]:
    rows = draw(st.lists(readings(domain), min_size=1, max_size=4))
    names = list(dict.fromkeys(name for row in rows for name in row["values"]))  # type: ignore[attr-defined]
    arrays: dict[str, object] = {"time": [row["time"] for row in rows]}
    for name in names:
        arrays[name] = [row["values"].get(name) for row in rows]  # type: ignore[attr-defined]
    if draw(st.booleans()):
        arrays["sensor_id"] = [row.get("sensor_id", "m1") for row in rows]
    units: dict[str, object] = {}
    for row in rows:
        units |= row["units"]  # type: ignore[operator]
    return {"units": units, "columns": arrays}


def payloads(domain: Domain) -> st.SearchStrategy[object]:
    return st.one_of(readings(domain), st.lists(readings(domain), max_size=4), columns(domain))


def _places(document: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    found = [path]
    if isinstance(document, dict):
        found += [p for key, value in document.items() for p in _places(value, (*path, key))]
    if isinstance(document, list):
        found += [p for key, value in enumerate(document) for p in _places(value, (*path, key))]
    return found


@st.composite
def mutated(draw: st.DrawFn, domain: Domain) -> object:
    """A valid payload with some of its parts replaced, removed or added."""
    document = json.loads(json.dumps(draw(payloads(domain))))
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from(_places(document)))
        if not path:
            continue
        parent = document
        for key in path[:-1]:
            parent = parent[key]
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "replace":
                parent[path[-1]] = draw(junk)
            case "remove":
                del parent[path[-1]]
            case "add" if isinstance(parent, dict):
                parent[draw(st.sampled_from(["x", "time", "units", "flow", "sensor_id"]))] = draw(
                    junk
                )
            case _:
                pass
    return document


domains = st.sampled_from(list(Domain))
documents = domains.flatmap(lambda domain: st.tuples(st.just(domain), mutated(domain)))


def by_the_rules(domain: Domain, bodies: list[bytes]) -> Decoded:
    decoded, rows = Decoded(), list[tuple[int, Measurement]]()
    for position, body in enumerate(bodies):
        try:
            good, bad = read_message(domain, "m1", body, UNITS.get)
        except Refused as refused:
            decoded.refusals.append(
                Refusal(position, refused.reason, refused.detail, refused.sensor_id)
            )
            continue
        rows += [(position, measurement) for measurement in good]
        decoded.refusals += [
            Refusal(position, p.refused.reason, p.refused.detail, p.refused.sensor_id, p.body)
            for p in bad
        ]
    if rows:
        decoded.blocks.append(block_of(domain, rows))
    return decoded


def flat(decoded: Decoded) -> list[tuple[object, ...]]:
    return sorted(
        (
            int(block.message[row]),
            int(block.element[row]),
            block.sensor_id[row],
            int(block.observed_us[row]),
            bool(block.estimated[row]),
            tuple(
                sorted(
                    (name, float(column[row]))
                    for name, column in block.metrics.items()
                    if not np.isnan(column[row])
                )
            ),
        )
        for block in decoded.blocks
        for row in range(len(block))
    )


def fast(domain: Domain, bodies: list[bytes]) -> Decoded:
    route = DECODER.route(f"citygauge/v1/{domain.value}/m1/reading")
    n = len(bodies)
    return DECODER.decode(Group(range(n), [route] * n, bodies, UNITS.get))


@settings(max_examples=150)
@given(
    domains.flatmap(lambda d: st.tuples(st.just(d), st.lists(mutated(d), min_size=1, max_size=4)))
)
def test_the_fast_decoder_says_what_the_rules_say(case: tuple[Domain, list[object]]) -> None:
    domain, found = case
    bodies = [json.dumps(document).encode() for document in found]
    quick, plain = fast(domain, bodies), by_the_rules(domain, bodies)
    assert flat(quick) == flat(plain)
    order = lambda refusal: (refusal.message, refusal.body or b"", refusal.detail)  # noqa: E731
    assert sorted(quick.refusals, key=order) == sorted(plain.refusals, key=order)


@settings(max_examples=150)
@given(domains, st.lists(st.binary(max_size=40), min_size=1, max_size=4))
@example(
    Domain.WATER, [b'{"time":1e9,"values":{"register":1},"units":{"register":"L"},"units":{}}']
)
@example(
    Domain.WATER,
    [b'{"time":1e9,"values":{"register":12345678901234567890123},"units":{"register":"L"}}'],
)
@example(
    Domain.WATER,
    [b'{"time":"2026-11-22T01:00:00Z","values":{"register":-0.0},"units":{"register":"L"}} '],
)
@example(Domain.WATER, [b'{"time":01,"values":{"register":1},"units":{"register":"L"}}'])
@example(
    Domain.WATER, [b'{"time":1e9,"values":{"register":1},"units":{"register":"L","register":"m3"}}']
)
@example(Domain.WATER, [b'{"time":1e9,"values":{"register":1},"units":{"register":"\\u004c"}}'])
@example(Domain.WATER, [b'{"time":1e9,"values":{"register":1},"units":{"register":"L\xff"}}'])
@example(
    Domain.WATER,
    [b'{"time":"2026-11-22T01:00:60Z","values":{"register":1},"units":{"register":"L"}}'],
)
def test_whatever_bytes_come_both_agree_and_none_raises(
    domain: Domain, bodies: list[bytes]
) -> None:
    quick, plain = fast(domain, bodies), by_the_rules(domain, bodies)
    assert flat(quick) == flat(plain)
    assert [r.reason for r in quick.refusals] == [r.reason for r in plain.refusals]


@settings(max_examples=150)
@given(documents)
def test_the_schema_and_the_decoder_agree(case: tuple[Domain, object]) -> None:
    domain, document = case
    try:
        body = json.dumps(document, allow_nan=False).encode()
    except ValueError:
        return  # not JSON: no schema can speak of it
    try:
        good, bad = read_message(domain, "m1", body, lambda _: None)
        decodes = not bad
        if not all(_in_range(measurement) for measurement in good):
            return  # the clock's rule, not the payload's
    except Refused:
        decodes = False
    lengths_fit = rows_filled = True
    if isinstance(document, dict) and isinstance(document.get("columns"), dict):
        arrays = [each for each in document["columns"].values() if isinstance(each, list)]
        lengths_fit = len({len(each) for each in arrays}) == 1
        rows_filled = _rows_filled(domain, document)
    valid = SCHEMA[domain].is_valid(document) and lengths_fit and rows_filled
    assert decodes == valid, document


def _in_range(measurement: Measurement) -> bool:
    """From 2000 on: what is older decodes, and is rejected by its age."""
    return measurement.observed_us >= parse_time("2000-01-01T00:00:00Z")


def _rows_filled(domain: Domain, document: dict[str, object]) -> bool:
    """What a schema cannot say of columns: each row has a value, and each metric with a value its unit."""
    found, units = document["columns"], document.get("units", {})
    assert isinstance(found, dict)
    metrics = {
        n: c for n, c in found.items() if n in CATALOGUE[domain].by_name and isinstance(c, list)
    }
    rows = len(found["time"]) if isinstance(found.get("time"), list) else 0
    filled = all(
        any(k < len(c) and c[k] is not None for c in metrics.values()) for k in range(rows)
    )
    named = all(
        all(v is None for v in column) or (isinstance(units, dict) and name in units)
        for name, column in metrics.items()
    )
    return filled and named


def test_the_published_schema_is_current() -> None:
    file = Path(__file__).parents[2] / "docs" / "native-payload.schema.json"
    assert file.read_text() == render(), "write it again: citygauge reference docs"
    jsonschema.Draft202012Validator.check_schema(native_schema())


def one_by_one(value: object) -> int:
    try:
        return parse_time(value)
    except InvalidInput:
        return int(INVALID)


stamps = st.one_of(
    times,
    st.builds(
        lambda m, ms: f"{m:%Y-%m-%dT%H:%M:%S}{ms}Z",
        moments,
        st.sampled_from(["", ".001", ".000001"]),
    ),
    st.from_regex(r"\A\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{3})?Z\Z"),
    st.text("0123456789-T:Z.", min_size=19, max_size=21),
    st.none(),
    st.booleans(),
)


@settings(max_examples=150)
@given(st.lists(stamps, max_size=40))
@example(["2026-11-22T01:00:0", "0Z2026-11-22T01:00:00Z"] * 6)
@example(["2026-11-22T01:00:0\u0661Z"] * 12)
@example(["2024-02-29T23:59:59Z", "2025-02-29T00:00:00Z", "2100-02-29T00:00:00Z"] * 4)
@example(["0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"] * 4)
def test_many_times_are_read_like_one(values: list[object]) -> None:
    assert parse_times(values).tolist() == [one_by_one(value) for value in values]


@given(st.lists(moments, min_size=9, max_size=30))
def test_the_fast_calendar_is_pythons(moments_: list[datetime]) -> None:
    texts = [f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z" for moment in moments_]
    expected = [
        (m.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        for m in moments_
    ]
    assert parse_times(texts).tolist() == expected
