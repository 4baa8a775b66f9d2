"""Publishing to a real broker: counted when acknowledged, bounded in flight, refused and lost connections told."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from services.domain.errors import Unavailable
from services.embedded.broker import EmbeddedBroker
from services.embedded.broker_configuration import DEVICE_USER
from simulators import publish
from simulators.messages import Message
from simulators.pace import Pace
from simulators.publish import NobodyListens, Published, Publisher, PublishRefused
from simulators.pump import Progress, pump
from simulators.replay import messages, parse_recording
from tests.waiting import PATIENCE_S, wait_until

RECORDING = "time,sensor_id,kind,metric,value\n" + "".join(
    f"2026-01-01T00:{minute:02d}:00Z,P{sensor},customer_meter,register_l,{minute * 10 + sensor}\n"
    for minute in range(60)
    for sensor in range(5)
)


@contextmanager
def listening(broker: EmbeddedBroker, topics: str) -> Iterator[list[tuple[str, bytes]]]:
    """Everything that comes on the topics; afterwards the broker knows of nobody who listens.

    A DISCONNECT has no answer: what another connection publishes right behind it may still find its subscriber.
    """
    heard: list[tuple[str, bytes]] = []
    ready, over = threading.Event(), threading.Event()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.username_pw_set("citygauge-service", broker.password("citygauge-service"))
    client.on_message = lambda *said: heard.append((said[2].topic, said[2].payload))
    client.on_subscribe = lambda *said: ready.set()
    client.on_unsubscribe = lambda *said: over.set()
    client.connect("127.0.0.1", broker.port)
    client.subscribe(topics, qos=1)
    client.loop_start()
    try:
        assert ready.wait(PATIENCE_S)
        yield heard
        client.unsubscribe(topics)
        assert over.wait(PATIENCE_S)
    finally:
        client.disconnect()
        client.loop_stop()


def recorded() -> list[Message]:
    return list(messages(parse_recording(RECORDING)))


def test_a_replay_arrives_whole_and_in_order(own_broker: EmbeddedBroker) -> None:
    with (
        listening(own_broker, "citygauge/v1/water/+/reading") as heard,
        Publisher(own_broker.url(DEVICE_USER), "test-replay", in_flight=7) as publisher,
    ):
        sent = pump(recorded(), publisher, Pace(None, 0), stop=threading.Event())
        done = publisher.flush()
        assert sent == 300
        assert done == Published(readings=300, messages=300, unheard=0)
        wait_until(lambda: len(heard) == 300, what="every message to be heard")
    assert heard == [(message.topic, message.payload) for message in recorded()]


def test_messages_that_nobody_hears_are_counted(own_broker: EmbeddedBroker) -> None:
    with Publisher(own_broker.url(DEVICE_USER), "test-unheard") as publisher:
        publisher.publish("citygauge/v1/water/nobody/reading", b"{}", 3)
        assert publisher.flush() == Published(readings=3, messages=1, unheard=1)
        assert publisher.receive_maximum > 100


def test_a_publisher_that_insists_waits_until_somebody_hears_it(
    own_broker: EmbeddedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    with Publisher(own_broker.url(DEVICE_USER), "test-insists", 9, insists=True) as publisher:
        sent: list[int] = []
        replay = threading.Thread(
            target=lambda: sent.append(
                pump(recorded(), publisher, Pace(None, 0), stop=threading.Event())
            )
        )
        replay.start()
        wait_until(lambda: "nobody has subscribed" in caplog.text, what="the word about it")
        assert publisher.published.readings == 0
        with listening(own_broker, "citygauge/v1/water/+/reading") as heard:
            replay.join(PATIENCE_S)
            assert publisher.flush() == Published(readings=300, messages=300, unheard=0)
            wait_until(lambda: len(heard) == 300, what="every message to be heard")
    assert sent == [300]
    assert heard == [(message.topic, message.payload) for message in recorded()]


def test_what_is_not_heard_on_the_way_is_sent_again(own_broker: EmbeddedBroker) -> None:
    with Publisher(own_broker.url(DEVICE_USER), "test-again", insists=True) as publisher:
        with listening(own_broker, "citygauge/#"):
            publisher.publish("citygauge/v1/water/a/reading", b"{}", 1)
            wait_until(lambda: publisher.published.readings == 1, what="what is heard")
        for _ in range(3):
            publisher.publish("citygauge/v1/water/b/reading", b"{}", 1)
        wait_until(lambda: publisher.published.unheard == 3, what="what nobody heard")
        assert publisher.published.readings == 1
        with listening(own_broker, "citygauge/#") as heard:
            assert publisher.flush() == Published(readings=4, messages=4, unheard=0)
            wait_until(lambda: len(heard) == 3, what="the messages")


def test_a_publisher_that_insists_says_whom_it_waits_for(
    own_broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "_AGAIN_S", PATIENCE_S)  # what was unheard so lately is unheard
    with Publisher(own_broker.url(DEVICE_USER), "test-nobody", insists=True) as publisher:

        def clock() -> float:
            """Its time is up as soon as the broker has said that nobody listens."""
            return float(publisher.published.unheard)

        stop = threading.Event()
        assert pump(recorded(), publisher, Pace(None, 0), stop=stop, seconds=1, clock=clock) == 1
        with pytest.raises(
            NobodyListens, match=r"water/P0/reading, .* 1; start `citygauge ingest`"
        ):
            publisher.flush(0.5)


def test_a_refusal_is_an_error(broker: EmbeddedBroker) -> None:
    with Publisher(broker.url(DEVICE_USER), "test-refused") as publisher:
        publisher.publish("forbidden/topic", b"{}", 1)
        with pytest.raises(PublishRefused, match=r"(?i)not authorized"):
            publisher.flush()


def test_a_wrong_password_and_a_silent_place_are_told(broker: EmbeddedBroker) -> None:
    wrong = f"mqtt://device:wrong@127.0.0.1:{broker.port}"
    with pytest.raises(Unavailable, match=r"(?i)not authorized|bad user"), Publisher(wrong, "test"):
        pass
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with (
            pytest.raises(Unavailable, match="refused"),
            Publisher(f"mqtt://127.0.0.1:{port}", "x"),
        ):
            pass


def test_a_restart_of_the_broker_loses_nothing(own_broker: EmbeddedBroker) -> None:
    with Publisher(own_broker.url(DEVICE_USER), "test-restart", in_flight=50) as publisher:
        for message in recorded()[:100]:
            publisher.publish(message.topic, message.payload, message.readings)
        own_broker.restart()
        for message in recorded()[100:]:
            publisher.publish(message.topic, message.payload, message.readings)
        assert publisher.flush(PATIENCE_S).readings == 300


def test_a_pump_ends_with_its_time_or_when_told(broker: EmbeddedBroker) -> None:
    first_us = recorded()[0].due_us
    with Publisher(broker.url(DEVICE_USER), "test-pump") as publisher:
        slow = Pace(60.0, first_us, clock=lambda: 0.0)
        never = threading.Event()
        sent = pump(recorded(), publisher, slow, stop=never, seconds=0.1, clock=lambda: 0.0)
        assert sent == 5
        stop = threading.Event()
        stop.set()
        assert pump(recorded(), publisher, Pace(None, first_us), stop=stop) == 0


def test_progress_tells_what_is_published_and_marks_messages(
    broker: EmbeddedBroker, tmp_path: Path
) -> None:
    path = tmp_path / "progress"
    with Publisher(broker.url(DEVICE_USER), "test-progress") as publisher:
        progress = Progress(path)
        progress.begin_live(publisher, recorded()[0].due_us)
        pump(recorded(), publisher, Pace(None, 0), stop=threading.Event(), progress=progress)
        publisher.flush()
        progress.close(publisher)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0]["live"]
    assert lines[0]["readings"] == 0
    assert [line["done"] for line in lines] == [False] * (len(lines) - 1) + [True]
    assert lines[-1]["readings"] == 300
    assert lines[-1]["virtual_time"] == "2026-01-01T00:59:00Z"
    marks = [mark for line in lines for mark in line["marks"]]
    assert len(marks) == 15
    known = {(message.sensor_id, message.observed_us) for message in recorded()}
    assert {(sensor_id, observed_us) for sensor_id, observed_us, _ in marks} <= known
