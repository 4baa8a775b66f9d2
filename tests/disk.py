"""A disk that notes every operation on a folder, refuses or kills at a chosen one, and tells what a power cut leaves.

It stands at the system call border: the operations are those of `os`, and they are really done; but nothing is synced,
because no test cuts the power, and what the system was given outlives a process.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

FOLDER = "."


class Kind(Enum):
    CREATE = "create"
    WRITE = "write"
    TRUNCATE = "truncate"
    SYNC = "sync"
    RENAME = "rename"
    REMOVE = "remove"
    MARK = "mark"


@dataclass(frozen=True)
class Operation:
    """One operation on the file `name` (SYNC of FOLDER: of its entries); a MARK is what the user of the disk says."""

    kind: Kind
    name: str = ""
    data: bytes = b""
    at: int = 0
    to: str = ""
    mark: tuple[str, tuple[int, ...]] = ("", ())


class Disk:
    """Notes the operations below `folder` while `watched` lasts.

    Args:
        before: called with the number of each operation, before it is done; it may raise, or never return.
    """

    def __init__(
        self, folder: Path, before: Callable[[int, Operation], None] | None = None
    ) -> None:
        self.folder, self._before = folder, before
        self.operations: list[Operation] = []
        self.count = 0
        self._open: dict[int, str] = {}

    def mark(self, what: str, numbers: Sequence[int]) -> None:
        """Notes what its user knows by now."""
        self.operations.append(Operation(Kind.MARK, mark=(what, tuple(numbers))))

    def _note(self, operation: Operation) -> None:
        self.count += 1
        if self._before is not None:
            self._before(self.count, operation)
        self.operations.append(operation)

    def _name(self, path: Any) -> str | None:
        try:
            return str(Path(os.fspath(path)).relative_to(self.folder))
        except (TypeError, ValueError):
            return None

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Notes everything that `os` is asked to do with files of the folder."""
        real = {
            name: getattr(os, name)
            for name in (
                "open",
                "close",
                "pwrite",
                "ftruncate",
                "fdatasync",
                "fsync",
                "replace",
                "unlink",
            )
        }

        def open_(path: Any, flags: int, *rest: Any, **more: Any) -> int:
            name = self._name(path)
            watched = name is not None and name != "lock"
            if watched and flags & os.O_CREAT and not Path(path).exists():
                self._note(Operation(Kind.CREATE, name or ""))
            elif watched and flags & os.O_TRUNC:
                self._note(Operation(Kind.TRUNCATE, name or ""))
            handle: int = real["open"](path, flags, *rest, **more)
            if watched:
                self._open[handle] = name or ""
            return handle

        def close(handle: int) -> None:
            self._open.pop(handle, None)
            real["close"](handle)

        def pwrite(handle: int, data: Any, at: int) -> int:
            if handle in self._open:
                self._note(Operation(Kind.WRITE, self._open[handle], bytes(data), at))
            return int(real["pwrite"](handle, data, at))

        def ftruncate(handle: int, size: int) -> None:
            if handle in self._open:
                self._note(Operation(Kind.TRUNCATE, self._open[handle], at=size))
            real["ftruncate"](handle, size)

        def sync(which: str) -> Callable[[int], None]:
            def done(handle: int) -> None:
                if handle in self._open:
                    self._note(Operation(Kind.SYNC, self._open[handle]))
                else:
                    real[which](handle)

            return done

        def replace(path: Any, to: Any, **more: Any) -> None:
            name = self._name(path)
            if name is not None:
                self._note(Operation(Kind.RENAME, name, to=self._name(to) or ""))
            real["replace"](path, to, **more)

        def unlink(path: Any, **more: Any) -> None:
            name = self._name(path)
            if name is not None:
                self._note(Operation(Kind.REMOVE, name))
            real["unlink"](path, **more)

        changed = {
            "open": open_,
            "close": close,
            "pwrite": pwrite,
            "ftruncate": ftruncate,
            "fdatasync": sync("fdatasync"),
            "fsync": sync("fsync"),
            "replace": replace,
            "unlink": unlink,
        }
        try:
            for which, function in changed.items():
                setattr(os, which, function)
            yield
        finally:
            for which, function in real.items():
                setattr(os, which, function)


def refuses(at: Sequence[int], number: int = errno.EIO) -> Callable[[int, Operation], None]:
    """The operations with these numbers fail."""

    def before(count: int, operation: Operation) -> None:
        if count in at:
            raise OSError(number, os.strerror(number))

    return before


def kills(at: int, folder: Path) -> Callable[[int, Operation], None]:
    """kill -9 of this process before the operation with this number; of a write, half of it is done."""

    def before(count: int, operation: Operation) -> None:
        if count != at:
            return
        if operation.kind is Kind.WRITE:
            with (folder / operation.name).open("r+b") as file:
                file.seek(operation.at)
                file.write(operation.data[: len(operation.data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)

    return before


@dataclass
class _File:
    now: bytearray
    durable: bytes = b""


class After(Enum):
    """What of that which was not synced is there after a power cut."""

    NOTHING = "nothing"
    ENTRIES = "the folder's entries, of which the data are lost"
    DATA = "the data of files, but no new entry"
    ALL = "everything"
    HALF = "everything, of the last write the first half"


def left(operations: Sequence[Operation], after: After) -> dict[str, bytes]:
    """The files after a power cut behind these operations, name -> bytes."""
    entries: dict[str, _File] = {}
    durable_entries: dict[str, _File] = {}
    operations = [each for each in operations if each.kind is not Kind.MARK]
    for number, each in enumerate(operations):
        cut = after is After.HALF and number == len(operations) - 1
        match each.kind:
            case Kind.CREATE:
                entries[each.name] = _File(bytearray())
            case Kind.WRITE:
                data = each.data[: len(each.data) // 2] if cut else each.data
                now = entries[each.name].now
                now.extend(bytes(max(0, each.at - len(now))))
                now[each.at : each.at + len(data)] = data
            case Kind.TRUNCATE:
                del entries[each.name].now[each.at :]
            case Kind.SYNC if each.name == FOLDER:
                durable_entries = dict(entries)
            case Kind.SYNC:
                entries[each.name].durable = bytes(entries[each.name].now)
            case Kind.RENAME:
                entries[each.to] = entries.pop(each.name)
            case Kind.REMOVE:
                entries.pop(each.name, None)
    chosen = durable_entries if after in {After.NOTHING, After.DATA} else entries
    lost = after in {After.NOTHING, After.ENTRIES}
    return {name: file.durable if lost else bytes(file.now) for name, file in chosen.items()}
