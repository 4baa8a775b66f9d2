"""Requests: the key, patience with a busy server, refusals as errors. It never repeats what changes something."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import httpx

from citygauge.client.errors import CitygaugeApiError

_BUSY: Final = 503
_LONGEST_PAUSE_S: Final = 10.0
ARROW: Final = "application/vnd.apache.arrow.stream"


class Transport:
    """One server and one key."""

    def __init__(self, url: str, key: str, timeout_s: float, attempts: int) -> None:
        self._attempts = max(1, attempts)
        self.http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=timeout_s,
            follow_redirects=False,
        )

    def get(
        self, path: str, params: Mapping[str, Any] | None = None, **headers: str
    ) -> httpx.Response:
        """The answer; asked again where the server says that it is busy.

        Raises:
            CitygaugeApiError: it refuses.
        """
        for attempt in range(self._attempts):
            answer = self.http.get(path, params=plain(params or {}), headers=headers)
            if answer.status_code != _BUSY or attempt == self._attempts - 1:
                break
            time.sleep(_pause(answer))
        return checked(answer)

    def send(self, method: str, path: str, body: object = None) -> httpx.Response:
        """The answer to a change; never asked twice."""
        return checked(self.http.request(method, path, json=body))


def checked(answer: httpx.Response) -> httpx.Response:
    """The answer, when it is none of refusal."""
    if answer.is_success:
        return answer
    try:
        problem = answer.json()
    except ValueError:
        problem = {"detail": answer.text[:200]}
    raise CitygaugeApiError(answer.status_code, problem)


def plain(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters without those that are None; times with their zone as RFC 3339.

    Raises:
        ValueError: a time has no zone.
    """
    return {name: _text(name, value) for name, value in params.items() if value is not None}


def _text(name: str, value: object) -> object:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(
                f"{name}: a time with its zone, such as datetime(2026, 1, 1, tzinfo=UTC)"
            )
        return value.isoformat()
    if isinstance(value, list | tuple | set):
        return [_text(name, each) for each in value]
    return value


def _pause(answer: httpx.Response) -> float:
    try:
        return min(float(answer.headers.get("retry-after", "1")), _LONGEST_PAUSE_S)
    except ValueError:
        return 1.0
