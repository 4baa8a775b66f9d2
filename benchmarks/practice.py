"""Where the labelled cases lie beside this repository. It refuses to look whether they are there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]


def practice_folder() -> Path:
    """The folder of labelled cases: below CITYGAUGE_SHARED, or below `shared` beside the repository."""
    given = os.environ.get("CITYGAUGE_SHARED")
    return (Path(given) if given else ROOT.parent / "shared") / "practice"
