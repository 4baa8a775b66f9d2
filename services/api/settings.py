"""Settings of the API and the console. It refuses to read the environment: the command line does and passes them."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from services.api.tiles import tile_origin


class ApiSettings(BaseModel):
    """How the API listens, how long it waits, and who may come in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(
        "127.0.0.1",
        description="Address to listen on. Loopback unless TLS is on, here or in a reverse proxy in front.",
    )
    port: int = Field(
        8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one and logs it."
    )
    tls_certificate: str = Field(
        "",
        description="File with the certificate (PEM, those of its issuers behind it) with which the API speaks HTTPS; "
        "read at the start. Empty: HTTP.",
    )
    tls_key: str = Field("", description="File with the key of that certificate (PEM).")
    pool_connections: int = Field(
        8, ge=1, le=100, description="Database connections that answer requests."
    )
    pool_wait_s: float = Field(
        5.0,
        gt=0,
        le=60,
        description="Seconds that a request waits for a free connection before it is answered with 503.",
    )
    statement_timeout_s: float = Field(
        15.0,
        gt=0,
        le=600,
        description="Seconds after which the database stops a query, which is then answered with 503.",
    )
    session_hours: float = Field(
        12.0, gt=0, le=720, description="Hours that a console stays signed in."
    )
    session_secret: SecretStr | None = Field(
        None,
        min_length=32,
        description="Signs console sessions, 32 characters or more. Without it one is made at each start, "
        "and a restart signs every console out.",
    )
    secure_cookie: bool = Field(
        False,
        description="Send the session cookie over HTTPS only, and name https in the addresses of CAP feeds. Set it "
        "when a reverse proxy speaks TLS; where the API does so itself, both are so anyway.",
    )
    first_key_file: str = Field(
        "",
        description="File for the API key that is made at the first start, readable by its owner alone; "
        "empty: citygauge/api-key in the user's state folder.",
    )
    key_cache_s: float = Field(
        5.0,
        ge=0,
        le=300,
        description="Seconds that a checked API key is trusted without asking the database; a revoked key "
        "works that much longer.",
    )
    login_token: SecretStr | None = Field(
        None,
        min_length=32,
        description="A one-time token that signs one console in at /login?token=...; the demo uses it.",
    )
    metrics_need_key: bool = Field(
        False, description="Whether /metrics asks for an API key, as everything under /v1 does."
    )
    cap_public: bool = Field(
        False,
        description="Whether the CAP feeds under /v1/cap can be read without a key.",
    )
    stream_clients: int = Field(
        200,
        ge=1,
        le=10_000,
        description="Most live streams open at once; one more is answered with 503.",
    )
    stream_queue_events: int = Field(
        1000,
        ge=10,
        le=100_000,
        description="Events kept for a slow live client; past that it is cut off and resumes from its last event.",
    )
    stream_heartbeat_s: float = Field(
        15.0, gt=0, le=300, description="Seconds between two heartbeats of a quiet live stream."
    )
    stream_poll_s: float = Field(
        5.0,
        gt=0,
        le=60,
        description="Seconds after which the live stream looks for alerts even if the database sent no hint.",
    )
    direct_readings: int = Field(
        5_000_000,
        ge=1000,
        le=1_000_000_000,
        description="Most raw readings that a range answered at once may be expected to hold; exports take more.",
    )
    export_folder: str = Field(
        "",
        description="Folder for the files of exports; empty: citygauge/exports in the user's state folder. Several API "
        "processes need one that they share.",
    )
    export_disk_bytes: int = Field(
        20_000_000_000, ge=1_000, description="Most bytes that the files of exports take together."
    )
    export_keep_hours: float = Field(
        48.0, gt=0, le=8760, description="Hours after which the file of an export is deleted."
    )
    export_jobs: int = Field(
        20, ge=1, le=1000, description="Most exports that wait or run at a time; one more gets 503."
    )
    export_poll_s: float = Field(
        10.0, gt=0, le=600, description="Seconds between two looks for exports that are to be made."
    )
    export_statement_timeout_s: float = Field(
        300.0, gt=0, le=86_400, description="Seconds after which a query of an export is stopped."
    )
    preview_readings: int = Field(
        20_000_000,
        ge=1000,
        le=10_000_000_000,
        description="Most readings that a preview of rules may be expected to report on; what the detectors read "
        "before, to learn habits, comes on top.",
    )
    preview_s: float = Field(
        900.0, gt=0, le=86_400, description="Seconds after which a preview of rules is given up."
    )
    preview_memory_bytes: int = Field(
        1_000_000_000,
        ge=100_000_000,
        description="Most memory of the process that makes a preview of rules.",
    )
    map_tiles: str = Field(
        "",
        description="Address of raster tiles beneath the map, with {z}, {x} and {y}: "
        "https://tiles.example.org/{z}/{x}/{y}.png. Readers' browsers ask there; empty: the map is drawn without.",
    )
    map_attribution: str = Field(
        "",
        max_length=300,
        description="Whom the tiles are from, shown beneath the map; a tile server's terms say what it must be.",
    )

    @field_validator("map_tiles")
    @classmethod
    def _tiles(cls, address: str) -> str:
        if address:
            tile_origin(address)
        return address

    @model_validator(mode="after")
    def _credited(self) -> Self:
        if self.map_tiles and not self.map_attribution.strip():
            raise ValueError("map_tiles needs map_attribution: whom the tiles are from")
        return self
