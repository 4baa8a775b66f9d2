"""A local log of messages that are acknowledged while the database is away: append at the end, take from the front.

Segments of records in one folder, used by one worker at a time; a file says how far they are in the database. It
refuses to grow above its bound, and to invent: a damaged segment gives what comes before the damage and is kept aside.
See docs/decisions/0012-spool.md.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from services.domain.errors import SettingError
from services.ingest import spool_place
from services.ingest.messages import Messages
from services.ingest.spool_place import Place, Progress
from services.ingest.spool_record import HEADER_BYTES, Record, encode
from services.ingest.spool_segments import READ_BYTES, Segments

log = logging.getLogger("citygauge.ingest")

Fsync = Literal["always", "interval", "never"]
_SEGMENTS: Final = 16
_LARGEST_SEGMENT: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Part:
    """Messages from the front, and the place after them."""

    messages: Messages
    end: Place


class Spool:
    """The log in a folder.

    Args:
        folder: made where it is not there.
        most_bytes: size of all its segments on disk, at most.
        fsync: always: before `append` returns. interval: at most `fsync_interval_s` later, at the next call.
            never: when the system likes.
        segment_bytes: size at which a segment is full; None: a part of `most_bytes`.
        now_s: a clock that only goes forward.

    Attributes:
        oldest_us: when the message at the front was received; None when it is empty.

    Raises:
        SettingError: the folder cannot be used, or another worker uses it.
    """

    def __init__(
        self,
        folder: Path,
        most_bytes: int,
        fsync: Fsync = "always",
        *,
        fsync_interval_s: float = 1.0,
        segment_bytes: int | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lock = _locked(folder)
        self._most, self._fsync = most_bytes, fsync
        self._interval_s, self._now_s, self._synced_s = fsync_interval_s, now_s, now_s()
        self._segment_bytes = segment_bytes or min(_LARGEST_SEGMENT, most_bytes // _SEGMENTS)
        self._position = folder / "position"
        self._segments = Segments(folder, durable=fsync != "never")
        self.oldest_us: int | None = None
        self._done: Place
        self._end: Place
        self._again_until: Place
        self._recover()

    @property
    def empty(self) -> bool:
        """Whether everything is done."""
        return self._done[:2] >= self._end[:2]

    @property
    def records(self) -> int:
        """Messages in it."""
        return 0 if self.empty else max(1, self._end.record - self._done.record)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(self._segments.sizes.values())

    def append(self, messages: Messages) -> bool:
        """Puts messages at the end; False, and nothing is kept, where there is no room or the disk refuses.

        After a failure of the disk it is not known what it has kept: the messages are then marked as delivered before.
        """
        end, segments = self._end, self._segments
        try:
            if not segments.writing or end.offset >= self._segment_bytes:
                self._sync(now=True)
                number = max(segments.sizes, default=end.segment - 1) + 1
                segments.create(number, end.record)
                end = self._end = Place(number, HEADER_BYTES, end.record)
            data = encode(messages, end.segment, end.offset)
            if self.size + len(data) > self._most:
                return False
            segments.write(end.segment, data)
            self._sync(now=self._fsync == "always")
        except OSError as error:
            log.error("spool refused by the disk: messages stay with the broker problem=%s", error)
            messages.redelivered.update(range(len(messages)))
            segments.give_up(end.segment, end.offset)
            return False
        if self.empty:
            self.oldest_us = messages.received_us[0]
        self._end = Place(end.segment, end.offset + len(data), end.record + len(messages))
        return True

    def front(self, most: int, most_bytes: int) -> Part | None:
        """The oldest messages, at least one and at most so many; None when it is empty. Call `done` once committed."""
        while not self.empty:
            records, end = self._segments.read(self._done, most, most_bytes)
            if records:
                self.oldest_us = records[0].received_us
                self._save(Progress(self._done, end))
                return Part(self._messages(records), end)
            self._leave_segment()
        self.oldest_us = None
        return None

    def done(self, part: Part) -> None:
        """The part is committed: it will not come again."""
        self._done = part.end
        self._save(Progress(self._done, self._done))
        if self.empty:
            self.oldest_us = None
            self._clear()
        elif self._done.offset >= self._segments.sizes.get(self._done.segment, 0):
            self._leave_segment()

    def doubt(self, part: Part) -> None:
        """It is not known whether the part was committed: when it comes again, it says so."""
        self._again_until = max(self._again_until, part.end)

    def sync(self, *, now: bool = False) -> None:
        """Makes durable what is due by the setting; call it now and then.

        Where the disk refuses, what was written since the last time may not outlive a power cut, which is said; what
        comes goes to a new segment.
        """
        try:
            self._sync(now=now)
        except OSError as error:
            log.error("spool cannot be made durable problem=%s", error)
            self._segments.end_writing()

    def _sync(self, *, now: bool) -> None:
        """Raises OSError."""
        if self._fsync == "never" or not self._segments.writing:
            return
        if now or self._now_s() - self._synced_s >= self._interval_s:
            self._segments.sync()
            self._synced_s = self._now_s()

    def close(self) -> None:
        """Ends the use; what is in it stays on disk."""
        self.sync(now=True)
        self._segments.end_writing()
        os.close(self._lock)

    def _recover(self) -> None:
        """Finds where to go on reading, and how many whole records there are."""
        segments, progress = self._segments, spool_place.load(self._position)
        first = min(segments.sizes, default=1)
        if progress is not None and progress.done.segment >= first:
            self._done, again_until = progress.done, progress.trying
        else:
            record = (segments.first_record(first) or 0) if segments.sizes else 0
            self._done, again_until = Place(first, HEADER_BYTES, record), None
        for number in [each for each in segments.sizes if each < self._done.segment]:
            segments.remove(number)
        self._end = self._last()
        self._again_until = again_until or self._end
        if not self.empty:
            records, _ = segments.read(self._done, 1, 1)
            self.oldest_us = records[0].received_us if records else None
            log.info("spool holds messages=%d bytes=%d", self.records, self.size)
        else:
            self._clear()

    def _last(self) -> Place:
        """The place after the last whole record. Bytes behind it were never acknowledged, or a crash has lost them."""
        segments, place = self._segments, self._done
        for number in sorted(segments.sizes):
            if number == self._done.segment:
                continue
            first = segments.first_record(number)
            place = Place(number, HEADER_BYTES, place.record if first is None else first)
        while True:
            records, after = segments.read(place, 1 << 20, READ_BYTES)
            if not records:
                break
            place = after
        torn = segments.sizes.get(place.segment, place.offset) - place.offset
        if torn > 0:
            log.warning("spool ends in a torn record bytes=%d segment=%d", torn, place.segment)
        return place

    def _leave_segment(self) -> None:
        """Goes on with the next segment; what could not be read of this one is kept aside."""
        segments, number = self._segments, self._done.segment
        following = segments.after(number) if number != self._end.segment else None
        to = self._end
        if following is not None:
            first = segments.first_record(following)
            to = Place(following, HEADER_BYTES, self._done.record if first is None else first)
        lost = to.record - self._done.record
        if number in segments.sizes:
            if following is None:
                segments.end_writing()
            if lost > 0:
                log.error(
                    "spool is damaged: messages are lost, the segment is kept aside messages=%d file=%s",
                    lost,
                    segments.set_aside(number),
                )
            else:
                segments.remove(number)
        self._done = to
        self._save(Progress(self._done, self._done))

    def _clear(self) -> None:
        """Gives all room back when nothing is in it."""
        self._segments.end_writing()
        for number in list(self._segments.sizes):
            self._segments.remove(number)
        self._done = self._end = Place(self._end.segment + 1, HEADER_BYTES, self._end.record)
        self._save(Progress(self._done, self._done))

    def _messages(self, records: Sequence[Record]) -> Messages:
        done, until = self._done, self._again_until
        before = until.offset if done.segment == until.segment else 0
        if done.segment < until.segment:
            before = 1 << 62
        return Messages(
            [each.topic for each in records],
            [each.payload for each in records],
            [each.received_us for each in records],
            {place for place, each in enumerate(records) if each.again or each.end <= before},
            {
                place: each.full_bytes
                for place, each in enumerate(records)
                if each.full_bytes is not None
            },
        )

    def _save(self, progress: Progress) -> None:
        try:
            spool_place.save(self._position, progress, durable=self._fsync != "never")
        except OSError as error:
            log.error("spool cannot note its place problem=%s", error)


def _locked(folder: Path) -> int:
    name = "CITYGAUGE_INGEST_SPOOL_FOLDER"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise SettingError(name, f"{folder} cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise SettingError(name, f"{folder} is used by another worker") from error
    return lock
