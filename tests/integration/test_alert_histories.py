"""The histories of tests/property/test_alert_log.py on the real database, and detectors and people truly at once."""

from __future__ import annotations

import random
import threading
import uuid
from datetime import UTC, datetime

from services.domain.alert import Alert, AlertEvent, EventKind, event_of_condition
from services.domain.alert_fold import fold_all
from services.domain.condition import Change, Condition, Rule, Severity
from services.domain.errors import InvalidInput, InvalidTransition
from services.store.alerting.alerts import AlertRepository
from services.store.connection import Connection, connect, transaction
from tests.property.test_alert_log import (
    PEOPLE,
    SUBJECTS,
    Detector,
    Log,
    detector_log,
    run,
    stream_of,
)
from tests.waiting import PATIENCE_S


class DatabaseLog(Log):
    """The same promises, kept by the database."""

    def __init__(self, conn: Connection) -> None:
        super().__init__()
        self._repository = AlertRepository(conn)

    def open(self) -> dict[tuple[Rule, str], Alert]:
        return {(alert.rule, alert.subject): alert for alert in self._repository.open_alerts()}

    def apply(self, event: AlertEvent) -> bool:
        if event.actor != "detector":
            alert = self._repository.act(
                event.alert_id, event.kind, event.actor, event.at, event.data
            )
            self.rows[alert.id] = alert
            return True
        stored = self._repository.apply([event])
        if stored:
            self.rows[event.alert_id] = self._repository.get(event.alert_id)
        return bool(stored)


def moves(chance: random.Random, count: int) -> list[tuple[int, Severity, bool]]:
    return [
        (chance.randrange(len(SUBJECTS)), chance.choice(list(Severity)), chance.random() < 0.5)
        for _ in range(count)
    ]


def steps(chance: random.Random, count: int) -> list[tuple[str, int, object]]:
    made: list[tuple[str, int, object]] = []
    for _ in range(count):
        match chance.choice(["follow", "follow", "restart", "act"]):
            case "follow":
                made.append(("follow", chance.randrange(2), chance.randint(1, 6)))
            case "restart":
                made.append(("restart", chance.randrange(2), chance.randint(0, 30)))
            case _:
                made.append(("act", chance.randrange(10), chance.choice(list(PEOPLE))))
    return made


def check(conn: Connection, expected: set[uuid.UUID]) -> None:
    repository = AlertRepository(conn)
    log = repository.events_after(0, limit=10_000)
    assert {entry.event.id for entry in log if entry.event.actor == "detector"} == expected
    for alert_id in {entry.event.alert_id for entry in log}:
        entries = repository.events(alert_id)
        assert [entry.version for entry in entries] == list(range(1, len(entries) + 1))
        assert fold_all([entry.event for entry in entries]) == repository.get(alert_id)


def quiet(stream: list[Condition]) -> set[uuid.UUID]:
    log = Log()
    Detector(log).follow(stream, len(stream))
    return {event.id for event in detector_log(log)}


def test_random_histories_keep_the_promises_on_the_database(database_url: str) -> None:
    with connect(database_url, "test", autocommit=True) as conn:
        for seed in range(12):
            chance = random.Random(seed)
            stream = stream_of(moves(chance, 25))
            run(stream, steps(chance, 25), DatabaseLog(conn))
            check(conn, quiet(stream))
            conn.execute("TRUNCATE alert, alert_event, outbox, delivery CASCADE")


def test_two_detectors_and_people_at_once_lose_and_repeat_nothing(database_url: str) -> None:
    chance = random.Random(11)
    stream = stream_of(moves(chance, 120))
    failures: list[BaseException] = []
    done = threading.Event()
    start = threading.Barrier(4)

    def detector(seed: int) -> None:
        own = random.Random(seed)
        with connect(database_url, "test", autocommit=True) as conn:
            repository = AlertRepository(conn)
            memory: dict[tuple[Rule, str], Alert] = {}
            position = 0
            while position < len(stream):
                size = own.randint(1, 5)
                events, seen = [], dict(memory)
                for said in stream[position : position + size]:
                    key = (said.rule, said.subject)
                    event = event_of_condition(said, "It happens.", seen.get(key))
                    if event is not None:
                        events.append(event)
                        alert = fold_all([event]) if event.kind is EventKind.RAISED else seen[key]
                        seen[key] = alert  # type: ignore[assignment]
                        if said.change is Change.CLEAR:
                            del seen[key]
                with transaction(conn):
                    repository.apply(events)
                position += size
                memory = {(a.rule, a.subject): a for a in repository.open_alerts()}
                if own.random() < 0.1:
                    position = own.randint(0, position)

    def person(seed: int) -> None:
        own = random.Random(seed)
        with connect(database_url, "test", autocommit=True) as conn:
            repository = AlertRepository(conn)
            acts = 0
            while not done.is_set() or not acts:  # there are alerts whenever the detectors are done
                alerts = repository.page(limit=50, now=datetime.now(UTC)).items
                for alert in alerts[:5]:
                    kind = own.choice(list(PEOPLE))
                    try:
                        repository.act(alert.id, kind, "ada", datetime.now(UTC), PEOPLE[kind])
                    except (InvalidTransition, InvalidInput):
                        continue
                    acts += 1

    def guarded(work: object, seed: int) -> None:
        try:
            start.wait(PATIENCE_S)
            work(seed)  # type: ignore[operator]
        except BaseException as error:
            failures.append(error)

    workers = [threading.Thread(target=guarded, args=(detector, seed)) for seed in (1, 2)]
    people = [threading.Thread(target=guarded, args=(person, seed)) for seed in (3, 4)]
    for thread in (*workers, *people):
        thread.start()
    for thread in workers:
        thread.join(PATIENCE_S)
    done.set()
    for thread in people:
        thread.join(PATIENCE_S)
    assert failures == []
    with connect(database_url, "test", autocommit=True) as conn:
        check(conn, quiet(stream))
        [(acts,)] = conn.execute("SELECT count(*) FROM alert_event WHERE actor = 'ada'").fetchall()
    assert acts > 0
