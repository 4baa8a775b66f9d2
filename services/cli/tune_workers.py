"""Runs the configurations of a comparison in processes of their own, several at a time.

Each process ends with this one, however that ends; Ctrl-C is this one's to answer. It refuses to know what a
configuration is worth: `recorded.tune` does.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import cast

from services.detect.recorded.tune import Configuration, Labelled, Point, tried
from services.domain.errors import CitygaugeError


class TryFailed(CitygaugeError):
    """A configuration could not be run through.

    Attributes:
        name: of the configuration.
    """

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        super().__init__(f"{name} cannot be tried: {problem}")


def points(
    configurations: Sequence[Configuration], histories: Sequence[Labelled], jobs: int
) -> Iterator[Point]:
    """What each configuration is worth, in their order.

    Args:
        histories: they must be fit for other processes where there are several jobs.
        jobs: how many run at a time; one runs here.

    Raises:
        TryFailed: one cannot be run, or its process was ended.
    """
    if min(jobs, len(configurations)) <= 1:
        for configuration in configurations:
            yield tried(configuration, histories)
        return
    with _workers(min(jobs, len(configurations)), histories) as links:
        upcoming = iter(enumerate(configurations))
        at_work: dict[Connection, int] = {}
        found: dict[int, Point] = {}
        told = 0

        def give(link: Connection) -> None:
            for place, configuration in upcoming:
                at_work[link] = place
                try:
                    link.send(configuration)
                except BrokenPipeError:
                    raise _ended(configuration) from None
                return

        for link in links:
            give(link)
        while at_work:
            for ready in wait(list(at_work)):
                link = cast("Connection", ready)
                place = at_work.pop(link)
                try:
                    said: Point | str = link.recv()
                except (EOFError, ConnectionResetError):
                    raise _ended(configurations[place]) from None
                if isinstance(said, str):
                    raise TryFailed(configurations[place].name, said)
                give(link)
                found[place] = said
            while told in found:
                yield found.pop(told)
                told += 1


def _ended(configuration: Configuration) -> TryFailed:
    return TryFailed(configuration.name, "its process was ended, perhaps for want of memory")


@contextmanager
def _workers(count: int, histories: Sequence[Labelled]) -> Iterator[list[Connection]]:
    context = multiprocessing.get_context("spawn")
    links: list[Connection] = []
    processes: list[SpawnProcess] = []
    try:
        for _ in range(count):
            here, there = context.Pipe()
            process = context.Process(target=_work, args=(there, histories), daemon=True)
            with _without_interrupts():
                process.start()
            processes.append(process)
            links.append(here)
            there.close()
        yield links
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.join()
        for link in links:
            link.close()


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """What is started here never hears of Ctrl-C; this process does, a moment later."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(link: Connection, histories: Sequence[Labelled]) -> None:
    """The life of one process: configurations come, points go, until the other side is gone."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            configuration: Configuration = link.recv()
        except (EOFError, ConnectionResetError):
            return
        try:
            answer: Point | str = tried(configuration, histories)
        except Exception as error:
            answer = f"{type(error).__name__}: {error}"
        link.send(answer)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
