"""The spool against a list: whatever is cut off or damaged, what came before is there, and nothing else is."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.errors import SettingError
from services.ingest.messages import Messages
from services.ingest.metrics import IngestMetrics
from services.ingest.spool import Spool

MIB = 1 << 20


def messages(*numbers: int, again: bool = False, size: int = 3) -> Messages:
    """Messages that can be told apart; every fifth one was cut."""
    return Messages(
        [b"t/%d" % n for n in numbers],
        [b"%d:" % n + b"x" * (n % size) for n in numbers],
        [1_000_000 + n for n in numbers],
        set(range(len(numbers))) if again else set(),
        {place: 9_999 for place, n in enumerate(numbers) if n % 5 == 0},
    )


def number_of(found: Messages, place: int) -> int:
    number = int(found.topics[place].removeprefix(b"t/"))
    assert found.payloads[place].startswith(b"%d:" % number)
    assert found.received_us[place] == 1_000_000 + number
    assert found.cut.get(place) == (9_999 if number % 5 == 0 else None)
    return number


def drained(spool: Spool, most: int = 3) -> list[int]:
    """The numbers of all messages, oldest first."""
    numbers: list[int] = []
    while (part := spool.front(most, MIB)) is not None:
        numbers += [number_of(part.messages, place) for place in range(len(part.messages))]
        spool.done(part)
    assert (spool.records, spool.oldest_us, spool.size) == (0, None, 0)
    return numbers


@settings(max_examples=60)
@given(data=st.data())
def test_any_use_is_that_of_a_list(data: st.DataObject) -> None:
    """Appends, reads, commits and restarts in any order, with segments of a few messages."""
    with TemporaryDirectory() as name:
        folder, expected, number = Path(name), list[int](), 0
        size = data.draw(st.sampled_from([60, 150, 4096]))
        spool = Spool(folder, 16 * MIB, "never", segment_bytes=size)
        for action in data.draw(st.lists(st.sampled_from("aaaafdr"), max_size=25)):
            if action == "a":
                count = data.draw(st.integers(1, 4))
                assert spool.append(messages(*range(number, number + count)))
                expected += range(number, number + count)
                number += count
            elif action == "r":
                spool.close()
                spool = Spool(folder, 16 * MIB, "never", segment_bytes=60)
            else:
                part = spool.front(data.draw(st.integers(1, 5)), MIB)
                assert (part is None) == (not expected)
                if part is not None:
                    count = len(part.messages)
                    assert [number_of(part.messages, k) for k in range(count)] == expected[:count]
                    assert spool.oldest_us == 1_000_000 + expected[0]
                    if action == "d":
                        spool.done(part)
                        expected = expected[count:]
            assert spool.records == len(expected)
        assert drained(spool) == expected
        spool.close()


def a_log(folder: Path) -> tuple[Path, list[int]]:
    """One segment of four records, and the offsets at which they end."""
    spool, ends = Spool(folder, MIB, "never"), []
    for n in range(4):
        assert spool.append(messages(n))
        ends.append(spool.size)
    spool.close()
    return next(folder.glob("*.segment")), ends


def test_a_log_that_ends_at_any_byte_gives_every_whole_record(tmp_path: Path) -> None:
    segment, ends = a_log(tmp_path / "whole")
    whole = segment.read_bytes()
    for size in range(len(whole)):
        folder = tmp_path / "torn"
        folder.mkdir()
        (folder / segment.name).write_bytes(whole[:size])
        kept = list(range(sum(end <= size for end in ends)))
        spool = Spool(folder, MIB, "never")
        assert spool.records == len(kept)
        assert spool.append(messages(70, 71))
        assert drained(spool, 4) == [*kept, 70, 71]
        spool.close()
        shutil.rmtree(folder)


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_a_byte_that_is_wrong_anywhere_costs_only_what_comes_after_it(
    tmp_path: Path, flip: int
) -> None:
    segment, ends = a_log(tmp_path / "whole")
    whole = segment.read_bytes()
    for place in range(len(whole)):
        folder = tmp_path / "damaged"
        folder.mkdir()
        damaged = bytearray(whole)
        damaged[place] ^= flip
        (folder / segment.name).write_bytes(damaged)
        spool = Spool(folder, MIB, "never")
        in_header = place < 28
        kept = range(4) if in_header else range(sum(end <= place for end in ends))
        assert drained(spool) == list(kept)
        spool.close()
        shutil.rmtree(folder)


def test_damage_in_an_old_segment_costs_its_end_and_is_kept_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(tmp_path, MIB, "never")
    for start in (0, 3, 6):
        spool._segments.end_writing()
        assert spool.append(messages(start, start + 1, start + 2))
    spool.close()
    _, middle, _ = sorted(tmp_path.glob("*.segment"))
    damaged = bytearray(middle.read_bytes())
    damaged[-20] ^= 1
    middle.write_bytes(damaged)
    spool = Spool(tmp_path, MIB, "never")
    assert spool.records == 9
    assert drained(spool) == [0, 1, 2, 3, 4, 6, 7, 8]
    assert "messages are lost" in caplog.text
    assert middle.with_suffix(".damaged").read_bytes() == damaged
    spool.close()


def test_a_record_at_another_place_is_none(tmp_path: Path) -> None:
    segment, ends = a_log(tmp_path)
    whole = segment.read_bytes()
    segment.write_bytes(whole[: ends[1]] + whole[ends[0] : ends[1]] + whole[ends[2] :])
    spool = Spool(tmp_path, MIB, "never")
    assert drained(spool) == [0, 1]
    spool.close()


def test_what_may_have_been_committed_says_so(tmp_path: Path) -> None:
    spool = Spool(tmp_path, MIB, "always")
    assert spool.append(messages(0, 1))
    assert spool.append(messages(2, 3, again=True))
    assert spool.append(messages(4, 6))
    part = spool.front(1, MIB)
    assert part is not None
    spool.done(part)
    assert spool.front(1, MIB) is not None
    spool.close()  # between the commit and the note of it
    spool = Spool(tmp_path, MIB, "always")
    part = spool.front(10, MIB)
    assert part is not None
    assert [number_of(part.messages, place) for place in range(5)] == [1, 2, 3, 4, 6]
    assert part.messages.redelivered == {0, 1, 2}
    spool.doubt(part)
    again = spool.front(10, MIB)
    assert again is not None
    assert again.messages.redelivered == {0, 1, 2, 3, 4}
    spool.close()
    (tmp_path / "position").write_text("{")
    spool = Spool(tmp_path, MIB, "always")
    part = spool.front(10, MIB)
    assert part is not None
    assert len(part.messages) == len(part.messages.redelivered) == 6
    spool.close()


def test_it_does_not_grow_above_its_bound(tmp_path: Path) -> None:
    spool, taken = Spool(tmp_path, 64 * 1024, "interval"), 0
    while spool.append(messages(*range(taken, taken + 100), size=50)):
        taken += 100
        assert spool.size <= 64 * 1024
    assert spool.records == taken > 500
    first = spool.front(500, MIB)
    assert first is not None
    spool.done(first)
    assert spool.append(messages(*range(taken, taken + 10)))
    assert drained(spool, 100) == list(range(len(first.messages), taken + 10))
    spool.close()


def test_a_disk_that_refuses_costs_nothing_that_was_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The segment's file is closed under it, as a device that fails does: EBADF where a full disk says ENOSPC."""
    import os

    spool = Spool(tmp_path, MIB, "always")
    assert spool.append(messages(0, 1))
    assert spool._segments._out is not None
    read_only = os.open(next(tmp_path.glob("*.segment")), os.O_RDONLY)
    os.dup2(read_only, spool._segments._out)
    os.close(read_only)
    more = messages(2, 3)
    assert not spool.append(more)
    assert more.redelivered == {0, 1}
    assert "refused by the disk" in caplog.text
    assert spool.append(more)
    assert drained(spool) == [0, 1, 2, 3]
    spool.close()


def test_the_metrics_say_what_it_holds(tmp_path: Path) -> None:
    spool, metrics = Spool(tmp_path, MIB, "never"), IngestMetrics()

    def told(name: str) -> float | None:
        return metrics.registry.get_sample_value(f"citygauge_ingest_spool_{name}")

    assert spool.append(messages(0, 1, 2))
    metrics.spooled(spool, 6_000_000)
    assert (told("messages"), told("bytes"), told("age_seconds")) == (3, spool.size, 5)
    assert drained(spool) == [0, 1, 2]
    metrics.spooled(spool, 7_000_000)
    assert (told("messages"), told("bytes"), told("age_seconds")) == (0, 0, 0)
    spool.close()


def test_one_worker_at_a_time(tmp_path: Path) -> None:
    spool = Spool(tmp_path, MIB, "never")
    with pytest.raises(SettingError, match="another worker"):
        Spool(tmp_path, MIB, "never")
    spool.close()
    Spool(tmp_path, MIB, "never").close()
    with pytest.raises(SettingError, match="cannot be used"):
        Spool(tmp_path / "lock", MIB, "never")
