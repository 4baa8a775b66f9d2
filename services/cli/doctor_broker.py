"""What doctor says of a broker that somebody else runs: what it grants, why it matters, and the setting's name there.

The names are those of mosquitto, EMQX, HiveMQ and VerneMQ; for any other broker all four are said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from services.cli.broker_makes import Broker, Setting, kind_of, remedy
from services.cli.broker_probe import Granted
from services.cli.finding import Finding, Health

_IN_FLIGHT: Final = 100
_DAY_S: Final = 86_400
_EMQX_SHARES: Final = 6
"""From this version on its durable sessions know shared subscriptions."""


def judge(
    found: Granted,
    *,
    share_group: str,
    session_expiry_s: int,
    largest_bytes: int,
    make: Broker | None = None,
) -> Iterator[Finding]:
    """Every finding about the broker; `make` where somebody knows it better than the broker says."""
    kind = make or kind_of(found.software)
    yield Finding("MQTT broker", Health.OK, f"speaks MQTT 5 ({found.software or 'make unknown'})")
    if not found.subscribed:
        yield Finding(
            "broker: rights",
            Health.FAIL,
            "this user may not subscribe",
            "Let the user of MQTT_URL read every topic that ingest subscribes to.",
        )
    yield _shared(found, kind, share_group)
    yield _at_least(
        "broker: receive maximum",
        found.receive_maximum,
        _IN_FLIGHT,
        "messages",
        "so many messages it takes from a device or gateway before it acknowledges any: a gateway that comes back with "
        "a day's readings waits for each few of them",
        remedy(Setting.IN_FLIGHT, kind),
        Health.WARN,
    )
    if found.kept:
        yield _window(found, kind)
    yield _at_least(
        "broker: session expiry",
        found.session_expiry_s,
        min(session_expiry_s, _DAY_S),
        "s",
        "an ingest that is away for longer loses its queue",
        remedy(Setting.EXPIRY, kind),
        Health.FAIL,
    )
    yield _at_least(
        "broker: largest packet",
        found.largest_bytes,
        largest_bytes,
        "bytes",
        "a larger message never reaches ingest",
        remedy(Setting.PACKET, kind),
        Health.WARN,
    )
    if found.dropped is not None:
        yield _dropped(found.dropped, kind)
    if found.sent or found.refused:
        yield _queue(found, kind)
        yield Finding(
            "broker: restart",
            Health.OK,
            "whether its queues survive a restart or a kill cannot be seen from here",
            remedy(Setting.DURABLE, kind),
            "what the broker forgets, it has acknowledged to the device",
        )


def _shared(found: Granted, kind: Broker | None, group: str) -> Finding:
    what = "broker: shared subscriptions"
    if not found.shared and group:
        return Finding(
            what,
            Health.FAIL,
            "not available, and a share group is set",
            remedy(Setting.SHARED, kind),
            "workers of a share group divide the messages",
        )
    if group and kind is Broker.EMQX and _major(found.software) < _EMQX_SHARES:
        return Finding(
            what,
            Health.WARN,
            f"available, and the share group {group} is set",
            remedy(Setting.SHARED, kind),
            "before EMQX 6 a restart forgets what waits for a shared subscription, also with durable sessions",
        )
    if group and kind is Broker.MOSQUITTO:
        return Finding(
            what,
            Health.WARN,
            f"available, and the share group {group} is set",
            remedy(Setting.SHARED, kind),
            "without that plugin mosquitto forgets shared subscriptions when it restarts: what is published between its"
            " start and our return is acknowledged and lost",
        )
    said = "available" if found.shared else "not available, and not needed"
    return Finding(what, Health.OK, said, why="several workers would divide the messages by them")


def _major(software: str) -> int:
    """The first number of a version; 0 where none is said."""
    found = re.search(r"(\d+)\.\d+", software)
    return 0 if found is None else int(found[1])


def _at_least(
    what: str, value: int, least: int, unit: str, why: str, cure: str, bad: Health
) -> Finding:
    good = value >= least
    said = f"{value:,} {unit}" if good else f"{value:,} {unit}, needed are {least:,}"
    return Finding(what, Health.OK if good else bad, said, "" if good else cure, why)


def _dropped(messages: int, kind: Broker | None) -> Finding:
    what = "broker: dropped messages"
    if not messages:
        return Finding(what, Health.OK, "none since its start")
    return Finding(
        what,
        Health.WARN,
        f"{messages:,} since its start: the queue of some client was full",
        f"{remedy(Setting.QUEUE, kind)}; and while the database may be away for long: citygauge ingest --spool",
        "it has acknowledged them to the devices, which do not send them again",
    )


def _window(found: Granted, kind: Broker | None) -> Finding:
    """It is full when not all that it keeps comes at once."""
    what, why = (
        "broker: delivery window",
        "a batch is taken before any of it is acknowledged: a small window throttles the stream",
    )
    said = f"delivers {found.window:,} messages before one is acknowledged"
    if found.window < min(found.kept, _IN_FLIGHT):
        said += f", needed are {_IN_FLIGHT:,}"
        return Finding(what, Health.WARN, said, remedy(Setting.WINDOW, kind), why)
    if found.window == found.kept:
        said += "; its limit may be higher"
    return Finding(what, Health.OK, said, why=why)


def _queue(found: Granted, kind: Broker | None) -> Finding:
    why = "while ingest or the database is away, the broker's queue is where the readings are"
    cure = remedy(Setting.QUEUE, kind)
    tried = found.sent + found.refused
    if found.refused:
        said = f"of {tried:,} messages for a session that was away it refused {found.refused:,}"
        return Finding("broker: queue", Health.FAIL, said, cure, why)
    if not found.resumed or found.unheard == found.sent:
        said = "a session that was away for a moment was forgotten, with all of its messages"
        return Finding("broker: queue", Health.FAIL, said, remedy(Setting.EXPIRY, kind), why)
    if found.kept < found.sent:
        said = f"of {found.sent:,} messages for a session that was away it kept {found.kept:,}, and said nothing"
        return Finding("broker: queue", Health.FAIL, said, cure, why)
    said = (
        f"kept all of {found.sent:,} messages for a session that was away; its limit may be higher"
    )
    return Finding("broker: queue", Health.OK, said, why=why)
