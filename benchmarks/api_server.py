"""A server to measure, as a process: the product's API, or the same answers as FastAPI's tutorial would have them.

python -m benchmarks.api_server ours|peer DATABASE_URL  ->  prints its address, and serves until it is ended.
"""

from __future__ import annotations

import sys
import threading
from datetime import datetime

import psycopg
import uvicorn
from fastapi import FastAPI
from psycopg.rows import class_row
from psycopg_pool import ConnectionPool
from pydantic import BaseModel

from services.api.service import run
from services.api.settings import ApiSettings


class Point(BaseModel):
    """One reading."""

    time: datetime
    sensor: int
    speed_km_per_h: float | None


def peer(url: str) -> FastAPI:
    """A response model, and a row for each point."""
    app = FastAPI()
    pool: ConnectionPool[psycopg.Connection[Point]] = ConnectionPool(
        url, min_size=4, max_size=8, open=True
    )

    @app.get("/readings", response_model=list[Point])
    def readings(sensor: int, start: datetime, end: datetime) -> list[Point]:
        with pool.connection() as conn, conn.cursor(row_factory=class_row(Point)) as cursor:
            cursor.execute(
                "SELECT time, sensor, speed_km_per_h FROM traffic_reading "
                "WHERE sensor = %s AND time >= %s AND time < %s ORDER BY time",
                (sensor, start, end),
            )
            return cursor.fetchall()

    @app.get("/ping")
    async def ping() -> dict[str, str]:
        return {"status": "ok"}

    return app


def main(which: str, url: str) -> None:
    """Serve."""
    if which == "ours":
        settings = ApiSettings(port=0)
        run(settings, url, threading.Event(), lambda address: print(address, flush=True))
        return
    server = uvicorn.Server(
        uvicorn.Config(peer(url), port=0, access_log=False, log_level="warning")
    )
    server.config.load()
    listener = server.config.bind_socket()
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    server.run(sockets=[listener])


if __name__ == "__main__":
    main(*sys.argv[1:])
