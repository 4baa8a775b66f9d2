"""What the settings ask for: the assembler, the subscription, the spool. It makes them and runs nothing."""

from __future__ import annotations

from pathlib import Path

from services.domain.duplicates import DuplicatePolicy
from services.ingest.assemble import Assembler
from services.ingest.settings import IngestSettings
from services.ingest.spool import Spool
from services.ingest.subscription import Subscription, client_id_of, shared
from services.ingest.validate import Limits


def assembler_of(settings: IngestSettings) -> Assembler:
    """The assembler that the settings ask for."""
    limits = Limits.of_seconds(
        settings.future_limit_s, settings.suspect_clock_s, settings.late_after_s
    )
    return Assembler(
        settings.topics,
        limits,
        max_payload_bytes=settings.max_payload_bytes,
        keep_payload_bytes=settings.keep_payload_bytes,
        duplicates=DuplicatePolicy(settings.duplicate_policy),
    )


def subscription_of(settings: IngestSettings) -> Subscription:
    """What the worker asks of the broker."""
    return Subscription(
        client_id_of(settings.worker),
        shared(settings.share_group, settings.topics),
        settings.qos,
        settings.keep_alive_s,
        settings.session_expiry_s,
        settings.receive_maximum,
        settings.reconnect_min_s,
        settings.reconnect_max_s,
        settings.fast_reader,
    )


def spool_of(settings: IngestSettings) -> Spool | None:
    """The spool that the settings ask for. Raises SettingError when its folder cannot be used."""
    if not settings.spool_folder:
        return None
    return Spool(
        Path(settings.spool_folder),
        settings.spool_bytes,
        settings.spool_fsync,
        fsync_interval_s=settings.spool_fsync_interval_s,
    )
