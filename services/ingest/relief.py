"""Takes over the share of a worker of the same group that has been away for too long, beside the worker's own stream.

In a thread of its own, with connections of its own; one absent worker at a time. It refuses where that worker turns
out to be connected to the broker all the same, and where another one is at it.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

from services.ingest.forget import StillNeeded, forget
from services.ingest.settings import IngestSettings

log = logging.getLogger("citygauge.ingest")

_STRETCH_S: Final = 10.0
"""One try: so long at most may the end of the service have to wait for it."""
_PAUSE_S: Final = 60.0


class Relief:
    """What one worker does for others of its group."""

    def __init__(self, settings: IngestSettings, database_url: str, mqtt_url: str) -> None:
        self._settings, self._database_url, self._mqtt_url = settings, database_url, mqtt_url
        self._thread: threading.Thread | None = None
        self._not_before: dict[str, float] = {}
        self._stop = threading.Event()

    def take_over(self, worker: str) -> None:
        """Begins to store what waits for `worker`, unless something of the kind is going on; returns at once."""
        if self._thread is not None and self._thread.is_alive():
            return
        if self._stop.is_set() or time.monotonic() < self._not_before.get(worker, 0.0):
            return
        self._thread = threading.Thread(
            target=self._relieve, args=(worker,), name=f"relief of {worker}"
        )
        self._thread.start()

    def _relieve(self, worker: str) -> None:
        chosen = {**self._settings.model_dump(), "worker": worker, "spool_folder": ""}
        try:
            done = forget(
                IngestSettings.model_validate(chosen),
                self._database_url,
                self._mqtt_url,
                longest_s=_STRETCH_S,
                stop=self._stop,
            )
        except StillNeeded as error:
            log.info("does not take over worker=%s: %s", worker, error.why)
            self._not_before[worker] = time.monotonic() + _PAUSE_S
        except Exception as error:  # the worker's own stream must not end by it
            log.warning("cannot take over worker=%s problem=%s", worker, error)
            self._not_before[worker] = time.monotonic() + _PAUSE_S
        else:
            if not done.ended and not done.messages:
                self._not_before[worker] = time.monotonic() + _PAUSE_S
            log.info(
                "took over worker=%s messages=%d %s",
                worker,
                done.messages,
                "its session is ended" if done.ended else "more is waiting",
            )

    def close(self) -> None:
        """Waits for the end of what is going on; what is left then stays with the broker."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
