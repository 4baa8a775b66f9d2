"""An HTTP client of a few microseconds a request, and what a server's processes cost meanwhile; for benchmarks only.

It speaks HTTP/1.1 on kept connections, answers of known length or in chunks. It refuses to follow redirects.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Got:
    """One answer; headers in lower case."""

    status: int
    headers: Mapping[str, str]
    size: int


class Client:
    """Connections to one server, used one after the other, or all at once."""

    def __init__(self, url: str, headers: Mapping[str, str], connections: int = 1) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._common = "".join(
            f"{name}: {value}\r\n" for name, value in {"Host": parts.netloc, **headers}.items()
        )
        place = (parts.hostname, parts.port)
        self._sockets = [_connected(place) for _ in range(connections)]
        for each in self._sockets:
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        """Let go of the connections."""
        for each in self._sockets:
            each.close()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Got:
        """One request on the first connection."""
        self._sockets[0].sendall(self._request(path, headers or {}))
        return _received(self._sockets[0])

    def rate(
        self, paths: Sequence[str], seconds: float, headers: Mapping[str, str] | None = None
    ) -> float:
        """Requests a second, one under way on each connection all the time, the paths one after the other."""
        requests = cycle([self._request(path, headers or {}) for path in paths])
        done, began = 0, time.perf_counter()
        for each in self._sockets:
            each.sendall(next(requests))
        while (spent := time.perf_counter() - began) < seconds:
            for each in self._sockets:
                assert _received(each).status in {200, 304}
                each.sendall(next(requests))
            done += len(self._sockets)
        for each in self._sockets:
            _received(each)
        return done / spent

    def _request(self, path: str, headers: Mapping[str, str]) -> bytes:
        own = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"GET {path} HTTP/1.1\r\n{self._common}{own}\r\n".encode()


def _connected(place: tuple[str, int]) -> socket.socket:
    """A connection, as soon as somebody listens."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return socket.create_connection(place, 120)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _received(connection: socket.socket) -> Got:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _some(connection)
    head, _, rest = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    status = int(first.split()[1])
    size = len(rest)
    if headers.get("transfer-encoding") == "chunked":
        tail = rest[-7:]
        while not tail.endswith(b"0\r\n\r\n"):
            more = _some(connection)
            size += len(more)
            tail = (tail + more)[-7:]
    elif status != 304:
        length = int(headers.get("content-length", 0))
        while size < length:
            size += len(_some(connection))
    return Got(status, headers, size)


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(1 << 18)
    if not data:
        raise ConnectionError("the server closed the connection")
    return data


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one request: median, 99th percentile (of few: the worst), and processor time of the servers."""

    p50_ms: float
    p99_ms: float
    cpu_ms: float
    requests: int


def timed(do: Callable[[], object], times: int, processes: Sequence[int]) -> Latency:
    """Do it so often, after three times that do not count."""
    for _ in range(3):
        do()
    before, took = cpu_s(processes), []
    for _ in range(times):
        began = time.perf_counter()
        do()
        took.append((time.perf_counter() - began) * 1e3)
    cpu = (cpu_s(processes) - before) / times * 1e3
    took.sort()
    return Latency(
        took[len(took) // 2], took[min(len(took) - 1, int(len(took) * 0.99))], cpu, times
    )


def cpu_s(processes: Sequence[int]) -> float:
    """Processor time that these processes have used, seconds, user and system."""
    total = 0
    for pid in processes:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total * _TICK_S


def peak_mb(pid: int) -> float:
    """The most memory that a process has held so far."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1e3
    return float("nan")
