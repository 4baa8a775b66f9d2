"""The spool's files: numbered segments in a folder, written at the end of the newest, read from any place.

It refuses to know what is done: it makes, reads and removes, and keeps a damaged segment aside.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from services.ingest.spool_place import Place, sync_folder, write
from services.ingest.spool_record import HEADER_BYTES, Record, decode, header, needed, read_header

log = logging.getLogger("citygauge.ingest")

READ_BYTES: Final = 4 * 1024 * 1024
_SUFFIX: Final = ".segment"


class Segments:
    """The segments of a folder.

    Attributes:
        sizes: bytes of each segment on disk.
    """

    def __init__(self, folder: Path, *, durable: bool) -> None:
        self._folder, self._durable = folder, durable
        found = sorted(folder.glob(f"*{_SUFFIX}"))
        self.sizes = {int(file.name.removesuffix(_SUFFIX)): file.stat().st_size for file in found}
        self._out: int | None = None

    def create(self, number: int, first_record: int) -> None:
        """Begins a segment, to be written from now on. Raises OSError where the disk refuses."""
        self.end_writing()
        # What a begin of this number that failed may have left is written over.
        out = os.open(self._file(number), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            write(out, header(number, first_record), 0)
            if self._durable:
                sync_folder(self._folder)
        except OSError:
            os.close(out)
            with suppress(OSError):
                self._file(number).unlink(missing_ok=True)
            raise
        self._out, self.sizes[number] = out, HEADER_BYTES

    @property
    def writing(self) -> bool:
        """Whether a segment is open for more."""
        return self._out is not None

    def write(self, number: int, data: bytes) -> None:
        """Adds to the open segment. Raises OSError: write no more to this one, but begin another."""
        assert self._out is not None, "create a segment first"
        write(self._out, data, self.sizes[number])
        self.sizes[number] += len(data)

    def sync(self) -> None:
        """Makes durable what was written. Raises OSError: then nothing is known of what was written."""
        if self._out is not None:
            os.fdatasync(self._out)

    def give_up(self, number: int, size: int) -> None:
        """Closes the open segment after an error and takes back what it has above `size`, where the disk lets it."""
        if self._out is not None and number in self.sizes:
            self.sizes[number] = size
            with suppress(OSError):
                os.ftruncate(self._out, size)
        self.end_writing()

    def end_writing(self) -> None:
        """Closes the open segment."""
        if self._out is not None:
            os.close(self._out)
            self._out = None

    def read(self, place: Place, most: int, most_bytes: int) -> tuple[list[Record], Place]:
        """Whole records from a place on, at least one where there is one, and the place after them."""
        records: list[Record] = []
        if place.segment not in self.sizes:
            return records, place
        with self._file(place.segment).open("rb") as file:
            file.seek(place.offset)
            data = file.read(min(READ_BYTES, max(0, self.sizes[place.segment] - place.offset)))
            if (more := needed(data) - len(data)) > 0:
                data += file.read(more)
        total = 0
        for record in decode(data, place.segment, place.offset):
            total += len(record.payload)
            if records and (total > most_bytes or len(records) == most):
                break
            records.append(record)
        end = records[-1].end if records else place.offset
        return records, Place(place.segment, end, place.record + len(records))

    def first_record(self, number: int) -> int | None:
        """The number of a segment's first record; None where its beginning is damaged."""
        with self._file(number).open("rb") as file:
            return read_header(file.read(HEADER_BYTES), number)

    def after(self, number: int) -> int | None:
        """The next segment on disk."""
        return min((each for each in self.sizes if each > number), default=None)

    def remove(self, number: int) -> None:
        """Gives its room back; where the disk refuses, it is forgotten here, and removed by the next start."""
        del self.sizes[number]
        try:
            self._file(number).unlink(missing_ok=True)
        except OSError as error:
            log.error("spool cannot remove a segment segment=%d problem=%s", number, error)

    def set_aside(self, number: int) -> Path:
        """Keeps a damaged segment for a person to look at; it is read no more and takes no part in the bound."""
        del self.sizes[number]
        aside = self._file(number).with_suffix(".damaged")
        try:
            self._file(number).replace(aside)
        except OSError as error:
            log.error("spool cannot keep a segment aside segment=%d problem=%s", number, error)
        return aside

    def _file(self, number: int) -> Path:
        return self._folder / f"{number:016d}{_SUFFIX}"
