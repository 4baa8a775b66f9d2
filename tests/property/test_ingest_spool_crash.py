"""The spool dies or is refused at each operation on its files: what it acknowledged is there, once, in its order."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from services.ingest.messages import Messages
from services.ingest.spool import Fsync, Spool
from tests.disk import After, Disk, Kind, Operation, kills, left, refuses
from tests.waiting import PATIENCE_S

MIB = 1 << 20
SEGMENT = 110
"""Bytes: a segment holds about three messages."""


def messages(numbers: Sequence[int]) -> Messages:
    return Messages(
        [b"t/%d" % n for n in numbers],
        [b"%d:" % n + b"x" * (n % 7) for n in numbers],
        [1_000_000 + n for n in numbers],
        set(),
        {},
    )


def numbers_of(found: Messages) -> list[int]:
    return [int(topic.removeprefix(b"t/")) for topic in found.topics]


def opened(folder: Path, fsync: Fsync) -> Spool:
    return Spool(folder, MIB, fsync, segment_bytes=SEGMENT)


def used(folder: Path, disk: Disk, fsync: Fsync) -> Spool:
    """A life of a spool, with marks of what is acknowledged and what is committed: several segments, emptied once."""
    spool, count = opened(folder, fsync), 0

    def append(*sizes: int) -> None:
        nonlocal count
        for size in sizes:
            numbers = range(count, count + size)
            tried = messages(numbers)
            for _ in range(4):  # the broker keeps them, and they are tried again
                if spool.append(tried):
                    disk.mark("acknowledged", numbers)
                    break
            else:
                raise AssertionError("a disk that refused for a while is refused for ever")
            count += size

    def drain(times: int, most: int) -> None:
        for _ in range(times):
            part = spool.front(most, MIB)
            if part is None:
                return
            disk.mark("committed", numbers_of(part.messages))
            spool.done(part)

    append(2, 3, 1)
    drain(1, 3)
    append(4)
    spool.sync(now=True)
    drain(9, 4)
    append(2, 1)
    drain(1, 1)
    return spool


def check(
    folder: Path, marks: Sequence[tuple[str, Sequence[int]]], *, flagged: bool = True
) -> None:
    """A start on what is left: everything acknowledged and not committed is there; what comes again says so."""
    acknowledged = {n for what, numbers in marks if what == "acknowledged" for n in numbers}
    committed = {n for what, numbers in marks if what == "committed" for n in numbers}
    spool, found, again = opened(folder, "never"), list[int](), set[int]()
    assert spool.append(messages([900]))
    while (part := spool.front(3, MIB)) is not None:
        for place, number in enumerate(numbers_of(part.messages)):
            says_so = place in part.messages.redelivered
            if number in found:  # a write that was refused, and could not be taken back
                assert says_so
                continue
            found.append(number)
            if says_so:
                again.add(number)
        spool.done(part)
    spool.close()
    assert found == sorted(found)
    assert acknowledged - committed <= set(found)
    assert found[-1] == 900
    if flagged:
        assert committed & set(found) <= again
    assert not list(folder.glob("*.damaged"))


def marks_of(operations: Sequence[Operation]) -> list[tuple[str, Sequence[int]]]:
    return [each.mark for each in operations if each.kind is Kind.MARK]


@pytest.mark.parametrize("after", After)
def test_a_power_cut_behind_any_operation(tmp_path: Path, after: After) -> None:
    disk = Disk(tmp_path / "used")
    with disk.watched():
        used(tmp_path / "used", disk, "always").close()
    kinds = {each.kind for each in disk.operations}
    assert kinds == set(Kind) - {Kind.TRUNCATE} or kinds == set(Kind)
    for end in range(len(disk.operations) + 1):
        past = disk.operations[:end]
        folder = tmp_path / str(end)
        folder.mkdir()
        for name, data in left(past, after).items():
            (folder / name).write_bytes(data)
        check(folder, marks_of(past))


def test_kill_9_before_any_operation(tmp_path: Path) -> None:
    """A real one, of a process of its own; what the system was given stays, of the last write the first half."""
    command = [sys.executable, "-m", "tests.property.test_ingest_spool_crash", str(tmp_path)]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[2], timeout=PATIENCE_S)
    folders = sorted(tmp_path.iterdir(), key=lambda folder: int(folder.name))
    assert len(folders) > 40
    for folder in folders:
        lines = (folder / "marks").read_text().splitlines()
        check(folder / "spool", [tuple(json.loads(line)) for line in lines])


class _Written(Disk):
    """A disk whose marks outlive the process."""

    def mark(self, what: str, numbers: Sequence[int]) -> None:
        with (self.folder.parent / "marks").open("a") as file:
            file.write(json.dumps([what, list(numbers)]) + "\n")


def _die_at_each(folder: Path) -> None:
    """One child for each operation, until one of them lives to the end."""
    for number in range(1, 1_000):
        place = folder / str(number)
        place.mkdir()
        (place / "marks").touch()
        child = os.fork()
        if child == 0:
            disk = _Written(place / "spool", kills(number, place / "spool"))
            with disk.watched():
                used(place / "spool", disk, "always")
            os._exit(0)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
            return


@pytest.mark.parametrize(("fsync", "lasts"), [("always", 1), ("interval", 2)])
def test_a_disk_that_refuses_any_operation(tmp_path: Path, fsync: Fsync, lasts: int) -> None:
    """It fails once or twice and goes on; then the process is gone without a word."""
    number = 1
    while True:
        folder = tmp_path / str(number)
        disk = Disk(folder, refuses(range(number, number + lasts)))
        with disk.watched():
            spool = used(folder, disk, fsync)
        spool._segments.end_writing()
        os.close(spool._lock)
        check(folder, marks_of(disk.operations), flagged=False)
        if disk.count < number:
            break
        number += lasts
    assert number > 40


if __name__ == "__main__":
    _die_at_each(Path(sys.argv[1]))
