"""The catalogue of what is compared: each pipeline's program, what is published for it, and where its readings land."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from benchmarks.payloads import TOPICS, Form
from benchmarks.peers import fetched
from services.embedded.processes import free_port


class Name(StrEnum):
    """Pipelines by the name that the command line and the JSON file use."""

    CEILING = "ceiling"
    CEILING_QOS_0 = "ceiling-qos0"
    RECEIVE = "floor-receive"
    FLOOR = "floor-store"
    OURS = "ours"
    OURS_PLAIN_PAHO = "ours-plain-paho"
    OURS_QOS_0 = "ours-qos0"
    OURS_ARRAY = "ours-array"
    OURS_COLUMNS = "ours-columns"
    TUTORIAL = "tutorial"
    PLAIN = "plain"
    NODE_EACH = "node-red-each"
    NODE_BATCH = "node-red-batch"
    BRIDGE_CONFLICT = "mq-bridge-conflict"
    BRIDGE_COPY = "mq-bridge-copy"


class Table(StrEnum):
    """Tables that readings land in; each is a hypertable with a unique index on (sensor, time)."""

    NARROW = "reading"
    NUMBERED = "numbered_reading"
    WATER = "water_reading"


@dataclass(frozen=True, slots=True)
class Program:
    """How a pipeline is started: a command, and what its environment holds beside the addresses."""

    command: list[str]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One way from the broker into the database.

    Attributes:
        title: for the table.
        program: (messages, broker's address for services) -> program; raises fetched.NotInstallable. A program whose
            pipeline has no table ends by itself after so many messages.
        table: where its readings land; None: nowhere, it only receives.
        form, qos: what is published for it.
        share: part of the run's messages, so that slow ones do not take all the time.
        steady: takes part in the runs at a fixed rate.
    """

    title: str
    program: Callable[[int, str], Program]
    table: Table | None
    form: Form
    qos: int = 1
    share: float = 1.0
    steady: bool = False


def _python(module: str, *arguments: str, packages: Path | None = None) -> Program:
    command = [sys.executable, "-m", f"benchmarks.peers.{module}", *arguments]
    return Program(command, fetched.python_environment(packages))


def _subscriber(qos: int) -> Callable[[int, str], Program]:
    def program(messages: int, url: str) -> Program:
        parts = urlsplit(url)
        wanted = ["-h", str(parts.hostname), "-p", str(parts.port), "-V", "5", "-t", TOPICS]
        wanted += ["-u", unquote(parts.username or ""), "-P", unquote(parts.password or "")]
        wanted += ["-q", str(qos), "-C", str(messages)]
        return Program([*fetched.mosquitto_sub(), *wanted], {})

    return program


def _bridge(writing: str) -> Callable[[int, str], Program]:
    return lambda *_: _python("bridge", writing, packages=fetched.bridge())


def _node_red(writing: str) -> Callable[[int, str], Program]:
    return lambda *_: _python("node_red", writing, str(fetched.node_red()), str(free_port()))


def _ours(*changes: str) -> Callable[[int, str], Program]:
    return lambda *_: _python("ours", *changes)


PIPELINES: Final[Mapping[Name, Pipeline]] = {
    Name.CEILING: Pipeline(
        "the broker's ceiling: to mosquitto_sub (C)", _subscriber(1), None, Form.NATIVE
    ),
    Name.CEILING_QOS_0: Pipeline(
        "the broker's ceiling at QoS 0", _subscriber(0), None, Form.NATIVE, qos=0
    ),
    Name.RECEIVE: Pipeline(
        "the ceiling again: acknowledged in bulk",
        lambda messages, _: _python("floor", "receive", str(messages)),
        None,
        Form.NATIVE,
    ),
    Name.FLOOR: Pipeline(
        "floor: receive, msgspec, COPY",
        lambda *_: _python("floor", "store"),
        Table.NUMBERED,
        Form.FLAT,
        steady=True,
    ),
    Name.OURS: Pipeline("citygauge ingest", _ours(), Table.WATER, Form.NATIVE, steady=True),
    Name.OURS_PLAIN_PAHO: Pipeline(
        "citygauge ingest, fast_reader off",
        _ours("fast_reader=no"),
        Table.WATER,
        Form.NATIVE,
        share=0.4,
    ),
    Name.OURS_QOS_0: Pipeline(
        "citygauge ingest, QoS 0", _ours("qos=0"), Table.WATER, Form.NATIVE, qos=0
    ),
    Name.OURS_ARRAY: Pipeline(
        "citygauge ingest, arrays of 100", _ours(), Table.WATER, Form.ARRAY, share=0.05
    ),
    Name.OURS_COLUMNS: Pipeline(
        "citygauge ingest, columns of 100", _ours(), Table.WATER, Form.COLUMNS, share=0.05
    ),
    Name.TUTORIAL: Pipeline(
        "tutorial: paho, json, INSERT",
        lambda *_: _python("tutorial"),
        Table.NARROW,
        Form.FLAT,
        share=0.1,
    ),
    Name.PLAIN: Pipeline(
        "paho, pydantic, COPY", lambda *_: _python("plain"), Table.NARROW, Form.FLAT, steady=True
    ),
    Name.NODE_EACH: Pipeline(
        "Node-RED, INSERT a message", _node_red("each"), Table.NARROW, Form.FLAT, share=0.2
    ),
    Name.NODE_BATCH: Pipeline(
        "Node-RED, batches of 500", _node_red("batch"), Table.NARROW, Form.FLAT, steady=True
    ),
    Name.BRIDGE_CONFLICT: Pipeline(
        "mq-bridge, INSERT ON CONFLICT",
        _bridge("conflict"),
        Table.NARROW,
        Form.FLAT,
        share=0.4,
        steady=True,
    ),
    Name.BRIDGE_COPY: Pipeline(
        "mq-bridge, bulk COPY", _bridge("copy"), Table.NARROW, Form.FLAT, steady=True
    ),
}
