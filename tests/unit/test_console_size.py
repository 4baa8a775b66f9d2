"""What the console's first page sends, compressed: what its HTML names and what its modules import before they run."""

import re

from services.api.pages import LANGUAGE_NAMES, File, find
from services.domain.sentences.language import LANGUAGES

LIMIT_BYTES = 300 * 1024
NAMED = re.compile(r'(?:href|src)="/assets/([^"]+)"')
IMPORTED = re.compile(r'^import [^;]*?from "\./([^"]+)";|^export [^;]*? from "\./([^"]+)";', re.MULTILINE)  # fmt: skip


def file(name: str) -> File:
    found = find(name)
    assert found is not None, name
    return found


def first_page() -> set[str]:
    """Names of the files of the first page; of the languages the largest."""
    waiting = {"index.html", *NAMED.findall(file("index.html").plain.decode())}
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        found.add(name)
        if name.endswith(".js") and not name.startswith("vendor/"):
            named = {one or other for one, other in IMPORTED.findall(file(name).plain.decode())}
            waiting |= named - found
    languages = [f"words/{tag}.js" for tag in LANGUAGES]
    return found | {max(languages, key=lambda name: len(file(name).compressed))}


def test_the_first_page_is_small() -> None:
    files = first_page()
    assert {"console.js", "queue.js", "words.js", LANGUAGE_NAMES} <= files
    assert "vendor/uPlot.iife.min.js" in files
    assert not {"vendor/leaflet.js", "map.js", "corridor.js"} & files, "these wait until needed"
    assert sum(len(file(name).compressed) for name in files) < LIMIT_BYTES
