"""The command that keeps the database from growing without end: once, or again and again as a service."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import typer

from services.cli.process import database_url, start_log, stop_on_signals
from services.cli.settings import Section, Sources
from services.domain.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from services.cli.maintain_metrics import MaintainMetrics
    from services.store.maintain import Done
    from services.store.maintain_settings import MaintainSettings

log: Final = logging.getLogger("citygauge.maintain")
_WORDS: Final = {
    "drop": "chunks dropped",
    "compress": "chunks compressed",
    "feed": "removed from the feed",
    "rejected": "settled rejected messages removed",
    "delivered": "old deliveries removed",
    "published": "expired CAP messages removed",
    "roll": "of sensors rolled up",
}


def maintain(
    retention: list[str] = typer.Option(
        [], help="DOMAIN=DAYS: drop readings that are older, in whole chunks; besides the settings."
    ),
    compress_after: list[str] = typer.Option(
        [], help="DOMAIN=DAYS: compress chunks that are older (Community edition)."
    ),
    every: float = typer.Option(
        0.0, min=0.0, help="Do it again each so many seconds, until stopped; 0: once."
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Only say what would be done."),
    as_json: bool = typer.Option(False, "--json", help="Print what was done as JSON."),
) -> None:
    """Drop readings beyond their retention, compress old ones, remove what is settled, and keep the rollups.

    Needs DATABASE_URL. Rollups make long ranges quick and change no answer; `citygauge detect` keeps them too, and so
    does this with --every, one process at a time. Without a retention in the settings or here, no reading is ever
    removed. It waits for nobody: what is locked is left for the next time. Exit status 1 if a step could not be done.
    """
    from services.cli.maintain_metrics import MaintainMetrics
    from services.store.maintain_settings import MaintainSettings

    sources = Sources.of_process()
    settings = sources.load(Section.MAINTAIN, MaintainSettings)
    settings = _with(settings, "retention_days", "--retention", retention)
    settings = _with(settings, "compress_after_days", "--compress-after", compress_after)
    url = database_url(sources)
    if not every:
        done = list(_once(url, settings, MaintainMetrics(), dry_run=dry_run))
        _show(done, as_json=as_json, dry_run=dry_run)
        raise typer.Exit(1 if any(each.why_not for each in done) else 0)
    start_log()
    _forever(url, settings, every, dry_run=dry_run)


def _with(
    settings: MaintainSettings, field: str, option: str, given: Sequence[str]
) -> MaintainSettings:
    """The settings with what an option gives for some domains."""
    from pydantic import ValidationError

    days = {**getattr(settings, field), **_pairs(option, given)}
    try:
        return type(settings).model_validate({**settings.model_dump(), field: days})
    except ValidationError as error:
        rule = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise InvalidInput(option, ", ".join(given), rule) from None


def _once(
    url: str, settings: MaintainSettings, metrics: MaintainMetrics, *, dry_run: bool
) -> Iterable[Done]:
    from services.domain.catalogue import CATALOGUE
    from services.domain.instant import from_us
    from services.store.clock import database_time_us
    from services.store.connection import connect
    from services.store.maintain import chunks
    from services.store.maintain import maintain as run

    with connect(url, "citygauge-maintain", autocommit=True) as conn:
        now = from_us(database_time_us(conn))
        for done in run(conn, settings, now, dry_run=dry_run):
            metrics.note(done)
            yield done
        sizes = {domain.value: chunks(conn, domain) for domain in CATALOGUE}
        metrics.show(sizes, now.timestamp())


def _forever(url: str, settings: MaintainSettings, every_s: float, *, dry_run: bool) -> None:
    from prometheus_client import start_http_server

    from services.cli.maintain_metrics import MaintainMetrics
    from services.cli.rollups import keep_rollups

    metrics, stop = MaintainMetrics(), stop_on_signals()
    with ExitStack() as stack:
        if settings.metrics_port:
            server, thread = start_http_server(
                settings.metrics_port, settings.metrics_host, registry=metrics.registry
            )
            stack.callback(thread.join, 5)
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
        log.info("maintain starts every_s=%g", every_s)
        while True:
            try:
                for done in _once(url, settings, metrics, dry_run=dry_run):
                    if done.why_not:
                        log.warning("%s of=%s not done: %s", done.step, done.of, done.why_not)
                    elif done.count:
                        log.info("%s of=%s count=%d", _WORDS[done.step], done.of, done.count)
            except Unavailable as error:
                log.warning("database away, next time: %s", error)
            until = time.monotonic() + every_s
            if dry_run:
                stop.wait(every_s)
            else:
                keep_rollups(url, stop, until)
            if stop.is_set():
                break
        log.info("maintain stopped")


def _pairs(option: str, given: Sequence[str]) -> dict[str, float]:
    from services.domain.catalogue import Domain

    found: dict[str, float] = {}
    for each in given:
        name, _, days = each.partition("=")
        try:
            found[Domain(name).value] = float(days)
        except ValueError:
            known = ", ".join(domain.value for domain in Domain)
            raise InvalidInput(option, each, f"DOMAIN=DAYS with a domain of {known}") from None
    return found


def _show(done: Sequence[Done], *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in done], indent=1))
        return
    if not done:
        typer.echo("another maintenance is at work")
    for each in done:
        if each.why_not:
            typer.echo(f"{each.of}: {each.step} not done: {each.why_not}", err=True)
            continue
        freed = f", {each.freed_bytes / 1e6:.1f} MB" if each.freed_bytes else ""
        would = "would be: " if dry_run else ""
        typer.echo(f"{each.of}: {would}{each.count} {_WORDS[each.step]}{freed}")
