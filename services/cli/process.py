"""What every long-running command shares: its log, its signals, and the addresses that it was given."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Final

from services.cli.settings import BrokerLocation, DatabaseAddress, Section, Sources
from services.domain.errors import SettingError

_LEVELS: Final = ("debug", "info", "warning", "error")


def start_log() -> None:
    """Log to stderr, one line an event, in UTC; CITYGAUGE_LOG_LEVEL says from which level on."""
    level = os.environ.get("CITYGAUGE_LOG_LEVEL", "info").lower()
    if level not in _LEVELS:
        raise SettingError("CITYGAUGE_LOG_LEVEL", f"one of {', '.join(_LEVELS)}; it is {level!r}")
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s")
    formatter.converter = time.gmtime
    formatter.default_time_format = formatter.datefmt = "%Y-%m-%dT%H:%M:%S"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and Ctrl-C set; a second Ctrl-C ends the process at once."""
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    return stop


def database_url(sources: Sources | None = None) -> str:
    """The database's address from DATABASE_URL or the settings file."""
    found = (sources or Sources.of_process()).load(Section.DATABASE, DatabaseAddress)
    return found.url.get_secret_value()


def mqtt_url(given: str | None = None, sources: Sources | None = None) -> str:
    """The broker's address: the one given, or from MQTT_URL or the settings file."""
    if given:
        return given
    found = (sources or Sources.of_process()).load(Section.MQTT, BrokerLocation)
    return found.url.get_secret_value()
