"""The page of a scored case: each miss, false alarm and hit is drawn, every text is escaped, nothing is loaded."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from services.detect.recorded.recordings import read_recording
from services.detect.scoring.alert_lines import AlertLine
from services.detect.scoring.case_files import Scored, cases_below, score_case
from services.detect.scoring.drawn_series import RATE, DrawnSeries, Line
from services.detect.scoring.intervals import of_count, of_share
from services.detect.scoring.listing import nearest
from services.detect.scoring.page import page
from services.detect.scoring.panel import Band, Level, Mark, Panel, value_range
from services.detect.scoring.plot import draw
from services.detect.scoring.truth import Event
from services.domain.errors import InvalidInput
from services.domain.instant import DAY_US, HOUR_US, isoformat, parse_time

START_US = parse_time("2026-05-01T00:00:00Z")
EVIL = '"><script>alert(1)</script>&'


def write_case(folder: Path, sentence: str = "Water runs.") -> Path:
    """An hourly register of 20 days that leaks 20 L/h from the 10th to the 12th, and three alerts."""
    sensor = "A"
    folder.mkdir(parents=True, exist_ok=True)
    register = 1000.0
    rows = ["time,sensor_id,kind,metric,value"]
    for hour in range(20 * 24):
        at = START_US + hour * HOUR_US
        register += 30.0 if hour % 24 == 7 else 0.0
        register += 20.0 if 9 * 24 <= hour < 11 * 24 else 0.0
        if not 100 <= hour < 110:
            rows.append(f"{isoformat(at)},{sensor},customer_meter,register_l,{register}")
    (folder / "readings.csv").write_text("\n".join(rows) + "\n")
    leak = {"id": "e1", "series": [sensor], "kind": "continuous_flow", "size": {"lph": 20}}
    window = {"start": "2026-05-10T00:00:00Z", "end": "2026-05-12T00:00:00Z"}
    later = {"start": "2026-05-15T00:00:00Z", "end": "2026-05-16T00:00:00Z"}
    (folder / "truth.json").write_text(
        json.dumps(
            {
                "case": "made",
                "domain": "water",
                "eval_start": "2026-05-02T00:00:00Z",
                "eval_end": "2026-05-21T00:00:00Z",
                "events": [
                    {**leak, **window},
                    {**leak, **later, "id": "e2", "kind": "backflow", "size": {"x": EVIL}},
                ],
                "benign": [{"series": [sensor], "kind": EVIL, **later}],
            }
        )
    )
    evidence = {
        "metric": "flow_litres_per_h", "unit": "L/h", "value": 20.0, "threshold": 4.0, "baseline": 1.0,
        "numbers": {"litres_so_far": 480.0, "text": EVIL},
    }  # fmt: skip
    alerts = [
        {"sensor_id": sensor, "kind": "continuous_flow", "detected_at": "2026-05-11T00:30:00Z",
         "started_at": "2026-05-10T00:00:00Z", "ended_at": None, "sentence": sentence, "evidence": evidence},
        {"sensor_id": sensor, "kind": "stuck_meter", "detected_at": "2026-05-15T12:00:00Z"},
        {"sensor_id": "unknown", "kind": EVIL, "detected_at": "2026-05-18T00:00:00Z"},
    ]  # fmt: skip
    (folder / "alerts.jsonl").write_text("".join(json.dumps(each) + "\n" for each in alerts))
    return folder


def scored(folder: Path) -> Scored:
    return score_case("made", folder, folder / "alerts.jsonl")


def rendered(folder: Path) -> str:
    return page([scored(folder)], lambda case: DrawnSeries(read_recording(case.folder)))


class Tags(HTMLParser):
    """Collects the tags and the attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [f"{name}={value}" for name, value in attrs if name in ("src", "href")]
        self.links += [name for name, _ in attrs if name.startswith("on")]


def test_every_hit_miss_and_false_alarm_has_its_card_and_picture(tmp_path: Path) -> None:
    text = rendered(write_case(tmp_path))
    assert len(re.findall('<article class="card hit"', text)) == 1
    assert len(re.findall('<article class="card miss"', text)) == 1
    assert len(re.findall('<article class="card false"', text)) == 2
    assert Tags(text).tags.count("svg") == 5, "a picture each, and the times to detect"
    assert "told 24.5 h after its start" in text
    assert "Water runs." in text
    assert "litres so far" in text
    assert "meanwhile told: stuck meter" in text


def test_pictures_are_wellformed_and_show_truth_limit_usual_and_the_moment_of_telling(
    tmp_path: Path,
) -> None:
    text = rendered(write_case(tmp_path))
    pictures = [ElementTree.fromstring(each) for each in re.findall("<svg.*?</svg>", text)]
    classes = [{each.get("class") for each in picture.iter()} for picture in pictures]
    hit = next(each for each in classes if "threshold" in each)
    assert {"truth", "told", "onset", "threshold", "usual", "series"} <= hit
    for picture in pictures:
        numbers = re.findall(r"-?\d+\.\d", " ".join(each.get("d", "") for each in picture.iter()))
        assert all(-10 <= float(each) <= 700 for each in numbers)


def test_every_text_is_escaped_and_nothing_is_loaded_or_run(tmp_path: Path) -> None:
    tags = Tags(rendered(write_case(tmp_path, sentence=EVIL)))
    assert "script" not in tags.tags
    anchors = re.findall(r' id="([^"]+)"', rendered(tmp_path))
    assert len(anchors) == len(set(anchors))
    assert len(tags.links) == 4, "one for each event and false alarm, to its picture"
    assert {link.removeprefix("href=#") for link in tags.links} <= set(anchors)
    assert "&lt;script&gt;" in rendered(tmp_path)


def test_registers_become_rates_and_gaps_stay_gaps(tmp_path: Path) -> None:
    series = DrawnSeries(read_recording(write_case(tmp_path)))
    line = series.line("A", RATE, START_US, START_US + 20 * DAY_US)
    leaking = line.values[
        (line.at_us > START_US + 10 * DAY_US) & (line.at_us < START_US + 11 * DAY_US)
    ]
    assert sorted(set(leaking.tolist())) == [20.0, 50.0]
    gap = START_US + 105 * HOUR_US
    before, after = int(np.searchsorted(line.at_us, gap)) - 1, int(np.searchsorted(line.at_us, gap))
    assert np.isfinite(line.values[before])
    assert np.isnan(line.values[after])


def line(values: list[float]) -> Line:
    at = START_US + HOUR_US * np.arange(len(values), dtype=np.int64)
    return Line("A", RATE, at, np.array(values, np.float64), steps=False)


def test_a_peak_does_not_hide_a_small_leak() -> None:
    values = [2.0] * 50 + [300.0] + [2.0] * 50
    panel = Panel((line(values),), START_US, START_US + 101 * HOUR_US, about=2.0)
    low, high, peak = value_range(panel)
    assert (low, high, peak) == (0.0, 10.0, 300.0)
    assert "peaks cut off" in draw(panel, "a leak")


@pytest.mark.parametrize("values", [[], [np.nan], [5.0], [0.0, 0.0], [-3.0, 4.0], [1e12, -1e12]])
def test_odd_series_are_drawn(values: list[float]) -> None:
    panel = Panel(
        (line(values),), START_US, START_US + DAY_US,
        (Band("truth", START_US - DAY_US, START_US + 2 * DAY_US),),
        (Mark("told", START_US + DAY_US, "told"), Mark("told", START_US + 9 * DAY_US)),
        (Level("threshold", 1.0), Level("usual", 1.0)),
    )  # fmt: skip
    ElementTree.fromstring(draw(panel, EVIL))


def test_a_long_series_is_thinned_but_keeps_its_extremes() -> None:
    values = np.ones(100_000)
    values[50_000], values[70_000] = 9.0, -4.0
    at = START_US + 1_000_000 * np.arange(len(values), dtype=np.int64)
    panel = Panel((Line("A", RATE, at, values, steps=False),), int(at[0]), int(at[-1]))
    text = draw(panel, "long")
    assert len(text) < 60_000
    path = next(
        each for each in ElementTree.fromstring(text).iter() if each.get("class") == "series"
    )
    heights = [float(each) for each in re.findall(r" (-?[\d.]+)", path.get("d", ""))]
    assert len(set(heights)) == 3


def test_several_cases_have_an_overview_with_links_that_lead_somewhere(tmp_path: Path) -> None:
    folders = [write_case(tmp_path / name) for name in ("one", "two")]
    cases = [score_case(f"a/{path.name}", path, path / "alerts.jsonl") for path in folders]
    text = page(cases, lambda case: DrawnSeries(read_recording(case.folder)))
    assert Tags(text).links[:2] == ["href=#case-a-one", "href=#case-a-two"]
    anchors = re.findall(r' id="([^"]+)"', text)
    assert {link.removeprefix("href=#") for link in Tags(text).links} <= set(anchors)
    assert len(anchors) == len(set(anchors))
    assert len(set(re.findall(r'type="radio" name="([^"]+)"', text))) == 2, "chosen for each case"
    assert '<section id="case-a-two">' in text


def test_cases_are_found_below_a_folder_or_in_it(tmp_path: Path) -> None:
    write_case(tmp_path / "water" / "one")
    write_case(tmp_path / "two")
    assert [name for name, _ in cases_below(tmp_path)] == ["two", "water/one"]
    assert [name for name, _ in cases_below(tmp_path / "two")] == ["two"]
    with pytest.raises(InvalidInput, match=r"truth\.json"):
        cases_below(tmp_path / "water" / "none")


def test_a_card_says_which_figures_stood_beyond_their_limits(tmp_path: Path) -> None:
    text = rendered(write_case(tmp_path))
    assert "<b>Decided by</b> flow 20 \u2265 4 L/h</p>" in text


def test_the_table_says_how_far_its_figures_can_be_trusted(tmp_path: Path) -> None:
    text = rendered(write_case(tmp_path))
    assert "<td>.500<small>.095-.905</small></td>" in text, "Wilson, 1 of 2"
    document = scored(tmp_path).whole.document()
    assert document["recall_95"] == pytest.approx((0.0945, 0.9055), abs=1e-4)


@pytest.mark.parametrize(
    ("found", "of", "wanted"),
    [(0, 10, (0.0, 0.2775)), (10, 10, (0.7225, 1.0)), (14, 15, (0.7018, 0.9881)), (0, 0, None)],
)
def test_intervals_of_shares_are_wilson_s(
    found: int, of: int, wanted: tuple[float, float] | None
) -> None:
    assert of_share(found, of) == (wanted and pytest.approx(wanted, abs=1e-4))


@pytest.mark.parametrize(
    ("count", "exact"),
    [(0, (0.0, 3.689)), (1, (0.0253, 5.572)), (5, (1.623, 11.668)), (40, (28.58, 54.47))],
)
def test_intervals_of_counts_are_near_the_exact_ones(
    count: int, exact: tuple[float, float]
) -> None:
    low, high = of_count(count)
    assert low == pytest.approx(exact[0], abs=0.05)
    assert high == pytest.approx(exact[1], abs=0.05)


def test_of_a_miss_the_nearest_alert_of_its_family_is_named() -> None:
    event = Event(
        "e", ("A",), "burst", "leak", START_US, START_US + 4 * HOUR_US, START_US, True, {}
    )

    def told(sensor: str, family: str, hours: float) -> AlertLine:
        return AlertLine(sensor, "night_flow", family, START_US + round(hours * HOUR_US))

    early, late = told("A", "leak", -2.5), told("A", "leak", 7.0)
    others = [told("B", "leak", 5.0), told("A", "stuck", 5.0), told("A", "leak", -30.0)]
    assert nearest(event, others, 0) == ""
    assert nearest(event, [*others, late], 0) == "nearest: night flow, 3.0 h after its end"
    assert nearest(event, [*others, late, early], 0).endswith("2.5 h before it began")


def test_usual_values_are_drawn_with_their_spread() -> None:
    panel = Panel(
        (line([2.0, 9.0] * 20),), START_US, START_US + 40 * HOUR_US, levels=(Level("usual", 5.0, 2.0),)
    )  # fmt: skip
    picture = ElementTree.fromstring(draw(panel, "x"))
    (band,) = [each for each in picture.iter() if each.get("class") == "spread"]
    assert float(band.get("height", 0)) > 20


def test_a_level_is_faint_where_it_was_not_in_force() -> None:
    end = START_US + 40 * HOUR_US
    level = Level("threshold", 5.0, 0.0, START_US + 30 * HOUR_US, end)
    picture = ElementTree.fromstring(
        draw(Panel((line([2.0, 9.0] * 20),), START_US, end, levels=(level,)), "x")
    )
    paths = {each.get("class"): each.get("d", "") for each in picture.iter("path")}

    def width(kind: str) -> float:
        left, right = re.findall(r"[MH]([\d.]+)", paths[kind])
        return float(right) - float(left)

    assert width("threshold") == pytest.approx(width("threshold elsewhere") / 4, rel=0.01)


def test_no_label_beside_the_picture_covers_another() -> None:
    several = tuple(replace(line([70.0, 75.0] * 20), sensor_id=f"S{i}") for i in range(5))
    levels = (Level("threshold", 72.0), Level("usual", 75.0, 3.0), Level("measured", 74.0))
    panel = Panel(several, START_US, START_US + 40 * HOUR_US, levels=levels)
    picture = ElementTree.fromstring(draw(panel, "x"))
    beside = [
        float(each.get("y", 0))
        for each in picture.iter("text")
        if each.get("text-anchor") == "start"
    ]
    assert len(beside) == 8
    assert np.diff(sorted(beside)).min() >= 13
