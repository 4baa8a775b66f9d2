"""The list of open alerts, asked as often as it goes, beside the smallest answer of the same server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks import report
from benchmarks.api_city import END_US, MINUTE_US
from benchmarks.api_http import Client, cpu_s
from services.domain.alert import event_of_condition
from services.domain.condition import Change, Condition, Evidence, Rule, Severity
from services.store.alerting.alerts import AlertRepository
from services.store.connection import Connection

ALERTS = 50
_CONNECTIONS, _SECONDS = 8, 5.0


@dataclass
class Asked:
    """Rows of the table, and name -> requests a second, milliseconds of the server's processor time for each."""

    rows: list[tuple[str, str, *tuple[report.Cell, ...]]] = field(default_factory=list)
    facts: dict[str, tuple[float, float]] = field(default_factory=dict)


def raise_alerts(conn: Connection) -> None:
    """Fifty open alerts."""
    repository = AlertRepository(conn)
    evidence = Evidence("flow_litres_per_h", "L/h", 1840.0, 600.0, 35.0, 600.0, 10, 0.0, {})
    for n in range(ALERTS):
        at = END_US - n * MINUTE_US
        subject = f"W-{n:05}"
        condition = Condition(
            Rule.BURST, subject, Change.RAISE, at - MINUTE_US, at, Severity.CRITICAL, 0.9, evidence
        )
        if repository.open_alert(Rule.BURST, subject) is None:
            event = event_of_condition(condition, f"Flow at {subject} jumped to 1,840 L/h.", None)
            assert event is not None
            repository.apply([event])


def ask_alerts(address: str, headers: Mapping[str, str], pid: int) -> Asked:
    """Ask the server, a process, for the list, over eight connections.

    Computed: each request asks another question than the nine hundred before it, more lists than are kept. Known: the
    same again and again, while nothing changes. Unchanged: the client has it.
    """
    path = f"/v1/alerts?state=open&limit={ALERTS}"
    others = [f"/v1/alerts?state=open&limit={ALERTS + n}" for n in range(900)]
    client = Client(address, headers, _CONNECTIONS)
    tag = {"If-None-Match": client.get(path).headers["etag"]}
    asked = Asked()
    for name, paths, more in (
        ("ping", ["/healthz"], {}),
        ("computed", others, {}),
        ("known", [path], {}),
        ("unchanged", [path], tag),
        ("ping again", ["/healthz"], {}),
    ):
        before = cpu_s([pid])
        rate = client.rate(paths, _SECONDS, more)
        asked.facts[name] = rate, (cpu_s([pid]) - before) / (rate * _SECONDS) * 1e3
    client.close()
    ping = (asked.facts["ping"][0] + asked.facts["ping again"][0]) / 2
    what = f"requests/s of {ALERTS} open alerts"
    for name, title, aim, unit in (
        ("ping", "requests/s of a ping", "", 1.0),
        ("computed", f"{what}, computed each time", ">= 1,500", 1.0),
        ("known", f"{what}, asked again", "", 1.0),
        ("unchanged", "open alerts unchanged, share of the ping", ">= .80", ping),
    ):
        rate, cpu = asked.facts[name]
        asked.rows.append((title, aim, None, None, cpu, rate / unit))
    return asked
