"""The whole life of alerts under random interleavings on the real database, one after the other and truly at once.

Conditions by two detectors that restart and replay, people one by one and in bulk, exemptions and works that come and
go, shelves, floods, and the alarm system's own rounds. What must hold whatever happens is in `check`.
"""

from __future__ import annotations

import random
import threading
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from services.domain.alert import Alert, AlertEvent, EventKind, event_of_condition
from services.domain.alert_event import SYSTEM
from services.domain.alert_fold import fold, fold_all
from services.domain.catalogue import SensorKind
from services.domain.condition import Condition, Rule
from services.domain.errors import CitygaugeError, Conflict, InvalidInput, InvalidTransition
from services.domain.flood import FloodLimit
from services.domain.instant import from_us
from services.domain.sensor import Sensor
from services.domain.suppression import Suppression, SuppressionKind
from services.store.alerting.alert_watch import watch
from services.store.alerting.alerts import AlertRepository, Target
from services.store.alerting.suppressions import SuppressionRepository
from services.store.connection import Connection, connect, transaction
from services.store.sensors import SensorRepository
from tests.integration.test_alert_histories import moves, quiet
from tests.property.test_alert_log import BASE_US, PEOPLE, stream_of
from tests.waiting import PATIENCE_S

LIMIT = FloodLimit(2, timedelta(minutes=5))
GROWING = {EventKind.RAISED, EventKind.ESCALATED, EventKind.UNSUPPRESSED}
QUIET = {EventKind.UPDATED, EventKind.SUPPRESSED}
WORDS = '=cmd|"/c calc"!A1<script>alert(1)</script>\r\nBcc: x@example.org'


class Detector:
    """One instance with a memory of its own that may be old."""

    def __init__(self, conn: Connection, stream: list[Condition], chance: random.Random) -> None:
        self.conn, self.stream, self.chance = conn, stream, chance
        self.alerts = AlertRepository(conn, LIMIT)
        self.position = 0
        self.memory: dict[tuple[Rule, str], Alert] = {}

    @property
    def now(self) -> datetime:
        """The time of the data so far."""
        return from_us(max(BASE_US, *(said.at_us for said in self.stream[: self.position + 1])))

    def step(self) -> None:
        if self.chance.random() < 0.15:
            self.position = self.chance.randint(0, self.position)
            self.remember()
        size = self.chance.randint(1, 4)
        events: list[AlertEvent] = []
        for said in self.stream[self.position : self.position + size]:
            event = event_of_condition(said, WORDS, self.memory.get((said.rule, said.subject)))
            if event is None:
                continue
            events.append(event)
            before = (
                None if event.kind is EventKind.RAISED else self.memory[said.rule, said.subject]
            )
            after = fold(before, event)
            self.memory[after.rule, after.subject] = after
            if not after.active:
                del self.memory[after.rule, after.subject]
        with transaction(self.conn):
            self.alerts.apply(events)
        self.position += size
        self.remember()

    def remember(self) -> None:
        self.memory = {(a.rule, a.subject): a for a in self.alerts.open_alerts()}


def person(conn: Connection, chance: random.Random, now: datetime) -> None:
    """Whatever somebody may do: to one alert, to many, to the rules."""
    alerts, rules = AlertRepository(conn), SuppressionRepository(conn)
    found = alerts.page(limit=20, now=now).items
    kind = chance.choice(list(PEOPLE))
    facts = {**PEOPLE[kind], "reason": WORDS}
    if kind is EventKind.SHELVED:
        facts["until"] = (now + timedelta(minutes=chance.randint(1, 20))).isoformat()
    match chance.choice(["one", "many", "rule", "end"]):
        case "one" if found:
            alert = chance.choice(found)
            seen = alert.version - chance.randint(0, 1)
            try:
                alerts.act(alert.id, kind, "ada", now, facts, expected_version=seen or None)
            except (Conflict, InvalidInput, InvalidTransition):
                return  # it was another by then, or cannot be done
        case "many" if found:
            targets = [Target(alert.id) for alert in found] + [Target(uuid.uuid4())]
            outcomes = alerts.act_on(targets, kind, "bob", now, facts)
            assert len(outcomes) == len(targets)
            assert isinstance(outcomes[-1], CitygaugeError)
        case "rule":
            rules.create(suppression(chance, now))
        case "end":
            for rule in rules.page(SuppressionKind.EXEMPTION, limit=1, live_at=now).items:
                try:
                    rules.end(rule.kind, rule.id, "bob", now, None)
                except InvalidInput:
                    continue  # somebody was quicker


def suppression(chance: random.Random, now: datetime) -> Suppression:
    return Suppression(
        id=uuid.uuid4(),
        kind=chance.choice(list(SuppressionKind)),
        subjects=(chance.choice(["m1", "m2"]),),
        rules=(),
        domain=None,
        zone=None,
        road=None,
        starts_at=now - timedelta(minutes=chance.randint(0, 3)),
        ends_at=now + timedelta(minutes=chance.randint(1, 10)),
        hours=(),
        time_zone="UTC",
        reason=WORDS,
        created_at=now,
        created_by="ada",
    )


def check(conn: Connection, stream: list[Condition]) -> Counter[EventKind]:
    """Every event of the detectors is there once, each log folds to its row, and who was told is what the log says."""
    repository = AlertRepository(conn)
    log = repository.events_after(0, limit=10_000)
    told = {row[0] for row in conn.execute("SELECT event_id FROM outbox").fetchall()}
    by_alert: dict[uuid.UUID, list[AlertEvent]] = {}
    for entry in log:
        by_alert.setdefault(entry.event.alert_id, []).append(entry.event)
    assert {e.event.id for e in log if e.event.actor == "detector"} == quiet(stream)
    assert len({entry.event.id for entry in log}) == len(log)
    for alert_id, events in by_alert.items():
        entries = repository.events(alert_id)
        assert [entry.event for entry in entries] == events
        assert [entry.version for entry in entries] == list(range(1, len(events) + 1))
        assert fold_all(events) == repository.get(alert_id)
        state: Alert | None = None
        for event in events:
            held = state is not None and state.suppressed_by is not None
            state = fold(state, event)
            assert (event.id in told) == (event.told and event.kind not in QUIET)
            if event.id in told and event.kind in GROWING:
                assert not held or event.kind is EventKind.UNSUPPRESSED, (
                    "what is held back was told"
                )
                assert "flood" not in event.data, "what a flood tells was told singly too"
    keys = [(alert.rule, alert.subject) for alert in repository.open_alerts()]
    assert len(keys) == len(set(keys)), "two open alerts for one rule and subject"
    return Counter(entry.event.kind for entry in log if entry.event.actor == SYSTEM)


def furnish(conn: Connection) -> None:
    meters = [Sensor(name, SensorKind.WATER_METER, zone="Z") for name in ("m1", "m2")]
    SensorRepository(conn).upsert(meters)


def test_any_order_of_things_keeps_the_promises(database_url: str) -> None:
    seen: Counter[EventKind] = Counter()
    with connect(database_url, "test", autocommit=True) as conn:
        furnish(conn)
        for seed in range(5):
            chance = random.Random(seed)
            stream = stream_of(moves(chance, 30))
            detectors = [Detector(conn, stream, chance) for _ in range(2)]
            while any(each.position < len(stream) for each in detectors):
                now = max(each.now for each in detectors)
                match chance.choice(["detect", "detect", "person", "round"]):
                    case "detect":
                        chance.choice(detectors).step()
                    case "person":
                        person(conn, chance, now)
                    case "round":
                        watch(conn, now, now, LIMIT)
            watch(conn, now + timedelta(days=1), now + timedelta(days=1), LIMIT)
            seen += check(conn, stream)
            left = AlertRepository(conn).page(limit=100, now=now, suppressed=True, state="open")
            causes = {f"alert/{alert.id}" for alert in AlertRepository(conn).open_alerts()}
            assert {alert.suppressed_by for alert in left.items} <= causes
            conn.execute(
                "TRUNCATE alert, alert_event, outbox, delivery, suppression, suppression_event CASCADE"
            )
    for kind in (
        EventKind.RAISED,  # a flood
        EventKind.CLEARED,
        EventKind.SUPPRESSED,
        EventKind.UNSUPPRESSED,
        EventKind.UNSHELVED,
    ):
        assert seen[kind], f"no history brought about '{kind}' by the alarm system"


@pytest.mark.parametrize("seed", [3])
def test_everybody_at_once_loses_and_repeats_nothing(database_url: str, seed: int) -> None:
    stream = stream_of(moves(random.Random(seed), 50))
    failures: list[BaseException] = []
    done = threading.Event()
    start = threading.Barrier(5)
    clock = [from_us(BASE_US)]

    def detector(conn: Connection, chance: random.Random) -> None:
        mine = Detector(conn, stream, chance)
        while mine.position < len(stream):
            mine.step()
            clock[0] = max(clock[0], mine.now)

    def people(conn: Connection, chance: random.Random) -> None:
        while not done.is_set():
            person(conn, chance, clock[0])

    def rounds(conn: Connection, chance: random.Random) -> None:
        while not done.wait(chance.random() / 50):
            watch(conn, clock[0], clock[0], LIMIT)

    def guarded(work: object, number: int) -> None:
        try:
            with connect(database_url, "test", autocommit=True) as conn:
                start.wait(PATIENCE_S)
                work(conn, random.Random(100 * seed + number))  # type: ignore[operator]
        except BaseException as error:
            failures.append(error)

    with connect(database_url, "test", autocommit=True) as conn:
        furnish(conn)
        jobs = [detector, detector, people, rounds, rounds]
        threads = [
            threading.Thread(target=guarded, args=(job, number)) for number, job in enumerate(jobs)
        ]
        for thread in threads:
            thread.start()
        for thread in threads[:2]:
            thread.join(PATIENCE_S)
        done.set()
        for thread in threads[2:]:
            thread.join(PATIENCE_S)
        assert failures == []
        check(conn, stream)
    assert clock[0] < datetime.now(UTC)
