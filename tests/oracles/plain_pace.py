"""The clock of a feed as plain as it can be said: one reading after the other, every voice counted anew each time."""

from __future__ import annotations

from services.domain.instant import HOUR_US

WEEK_US = 168 * HOUR_US


class PlainPace:
    """As `services.detect.pace.Pace`, without bins."""

    def __init__(self) -> None:
        self.clock: int | None = None
        self.base = self.passed = self.base_passed = 0
        self.vouched = False
        self.voices: dict[int, tuple[int, int, int]] = {}
        """By sensor: word, passed at it, first word since it left the clock."""

    def kind(self, who: int) -> str:
        if who not in self.voices or self.clock is None:
            return "none"
        word, heard, _ = self.voices[who]
        if heard // HOUR_US < self.passed // HOUR_US - 30:
            return "none"
        if word > self.clock + HOUR_US:
            return "ahead"
        if word < max(self.base - HOUR_US, self.clock - WEEK_US):
            return "before" if heard >= self.base_passed else "gone"
        return "keep"

    def those(self, *kinds: str) -> list[int]:
        return [self.voices[who][0] for who in self.voices if self.kind(who) in kinds]

    def against(self, kind: str) -> int:
        return len(self.those("keep", "gone", "before") if kind == "ahead" else self.those("keep"))

    def move(self, clock: int) -> None:
        assert self.clock is not None
        self.passed += clock - self.clock
        self.clock = clock

    def begin(self, clock: int) -> None:
        assert self.clock is not None
        self.passed += 1 + min(max(clock - self.clock, 0), 10 * HOUR_US)
        self.base_passed, self.base, self.clock, self.vouched = self.passed, clock, clock, False

    def hear(self, who: int, at: int, received: int) -> int:
        word = min(at, received)
        sure = received != at and received - word <= HOUR_US
        if self.clock is None:
            self.clock = self.base = self.passed = self.base_passed = word
        ahead = word > self.clock + HOUR_US
        before = word < max(self.base - HOUR_US, self.clock - WEEK_US)
        if ahead and sure:
            self.begin(word)
            ahead = False
        if ahead or (before and not self.vouched):
            self.differ(who, word, "ahead" if ahead else "before")
        elif word >= self.clock - HOUR_US:
            self.move(max(self.clock, word))
            self.vouched = self.vouched or sure
            self.voices[who] = (word, self.passed, 0)
        elif who in self.voices and self.voices[who][0] > self.clock + HOUR_US:
            del self.voices[who]
        return self.clock

    def differ(self, who: int, word: int, kind: str) -> None:
        assert self.clock is not None
        last, heard, since = self.voices.get(who, (0, -1, 0))
        kept = who in self.voices and self.base - HOUR_US <= last <= self.clock + HOUR_US
        if kind == "before" and kept and word >= self.clock - WEEK_US:
            return
        goes_on = heard == self.passed and not kept and (last > self.clock) == (word > self.clock)
        self.voices[who] = (word, self.passed, since if goes_on else word)
        those, others = len(self.those(kind)), self.against(kind)
        patience = min(2 * HOUR_US * max(1.0, others / those), 30 * HOUR_US)
        if those <= others and word - self.voices[who][2] < patience:
            return
        if kind == "before":
            self.begin(max(self.those("before")))
            return
        while True:
            self.begin(min(self.those("ahead")))
            while (newest := max(self.those("keep"), default=self.clock)) > self.clock:
                self.move(newest)
            if len(self.those("ahead")) <= self.against("ahead"):
                return
