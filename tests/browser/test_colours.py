"""Colours of the console: text on every ground that it stands on meets WCAG 2.1 AA, in light and dark."""

import re
from pathlib import Path

import pytest

CSS = Path(__file__).parents[2] / "services" / "api" / "web" / "console.css"
TEXT = 4.5
EDGE = 3.0
PAIRS = [
    *(("ink", ground, TEXT) for ground in ("ground", "surface", "sunken", "accent-wash")),
    *(("soft", ground, TEXT) for ground in ("ground", "surface", "sunken", "accent-wash")),
    *((tone, f"{tone}-wash", TEXT) for tone in ("critical", "warning", "info", "good")),
    *((tone, "surface", TEXT) for tone in ("critical", "warning", "info", "good", "accent")),
    ("accent-ink", "accent", TEXT),
    ("accent", "ground", TEXT),
    ("line-strong", "surface", EDGE),
    ("line-strong", "ground", EDGE),
]


def palettes() -> dict[str, dict[str, str]]:
    """Colours by name, for each scheme."""
    roots = re.findall(r":root\s*\{(.*?)\}", CSS.read_text(), re.DOTALL)
    light, dark = (dict(re.findall(r"--([a-z-]+):\s*(#[0-9a-f]{6})", root)) for root in roots)
    return {"light": light, "dark": light | dark}


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.1) of #rrggbb."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground", "least"), PAIRS)
def test_contrast(scheme: str, text: str, ground: str, least: float) -> None:
    colours = palettes()[scheme]
    brighter, darker = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
    assert (brighter + 0.05) / (darker + 0.05) >= least
