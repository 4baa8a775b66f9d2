"""Puts the application together: routes, errors, the frame around requests, and what lives as long as it does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.api import (
    catalogue,
    city_map,
    health,
    ingest,
    pages,
    problems,
    rejected_acts,
    rules,
    search,
    sensors,
    sentences,
    session,
)
from services.api.access import Doorkeeper
from services.api.alerting import (
    alerts,
    bulk,
    cap,
    changes,
    deliveries,
    performance,
    previews,
    routes,
    suppressions,
)
from services.api.alerting.alert_lists import AlertLists
from services.api.alerting.preview_runner import PreviewRunner
from services.api.database import Database
from services.api.frame import Frame
from services.api.history import consumption, exports, newest, quality, readings, roads, zones
from services.api.history.export_runner import ExportRunner
from services.api.metrics import ApiMetrics
from services.api.neighbours import Neighbours
from services.api.openapi import describe
from services.api.places import Places
from services.api.sessions import Sessions
from services.api.settings import ApiSettings
from services.api.streams import live_socket, stream
from services.api.streams.reading_tail import ReadingTail
from services.api.streams.tail import AlertTail
from services.api.tiles import tile_origin
from services.store.asking import Asker

_ASKING_CONNECTIONS = 4
"""Beside the pool's, for what is asked without a thread."""


def create_app(
    settings: ApiSettings, database_url: str, neighbours: Neighbours | None = None
) -> FastAPI:
    """The ASGI application; it connects when it starts, not here.

    Args:
        settings: limits, sessions, streams.
        database_url: a PostgreSQL address; the database may be away, requests then get 503.
        neighbours: what other services do for this one.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.database.open()
        app.state.tail.start()
        app.state.reading_tail.start()
        app.state.exports.start()
        app.state.previews.start()
        try:
            yield
        finally:
            await asker.close()
            app.state.previews.stop()
            app.state.exports.stop()
            app.state.reading_tail.stop()
            app.state.tail.stop()
            app.state.database.close()

    app = FastAPI(
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
    )
    database = Database(database_url, settings)
    secret, token = settings.session_secret, settings.login_token
    sessions = Sessions(
        secret.get_secret_value() if secret else None, token.get_secret_value() if token else None
    )
    app.state.settings = settings
    app.state.neighbours = neighbours or Neighbours()
    app.state.database = database
    app.state.metrics = ApiMetrics()
    app.state.places = Places()
    app.state.doorkeeper = Doorkeeper(database, sessions, settings.key_cache_s)
    app.state.tail = AlertTail(database_url, settings, app.state.metrics, app.state.places)
    asker = Asker(
        database_url,
        "citygauge-api-lists",
        connections=_ASKING_CONNECTIONS,
        wait_s=settings.pool_wait_s,
        statement_timeout_s=settings.statement_timeout_s,
    )
    app.state.asker = asker
    app.state.alert_lists = AlertLists(asker, database, app.state.places)
    app.state.reading_tail = ReadingTail(database_url, settings, app.state.metrics)
    app.state.exports = ExportRunner(database_url, settings)
    app.state.previews = PreviewRunner(database_url, app.state.neighbours.previewer)
    problems.install(app)
    app.include_router(alerts.lists)  # first: what is asked most is found soonest
    for room in (
        sensors,
        readings,
        newest,
        consumption,
        roads,
        zones,
        exports,
        live_socket,
        stream,  # before alerts: /v1/alerts/stream is no alert's id
        alerts,
        bulk,  # before changes: /v1/alerts/changes is no alert's id
        changes,
        suppressions,
        deliveries,
        routes,
        cap,
        performance,
        ingest,
        rejected_acts,
        city_map,
        search,
        quality,
        rules,
        sentences,
        previews,
        catalogue,
        session,
        health,
        pages,
    ):
        app.include_router(room.router)
    tiles = tile_origin(settings.map_tiles) if settings.map_tiles else ""
    app.add_middleware(Frame, metrics=app.state.metrics, images_of=tiles)
    describe(app)
    return app
