"""What the console's first page sends, compressed: what its HTML names and what its modules import before they run."""

import re

from services.api.pages import FILES

LIMIT_BYTES = 300 * 1024
NAMED = re.compile(r'(?:href|src)="/assets/([^"]+)"')
IMPORTED = re.compile(r'^import [^;]*?from "\./([^"]+)";|^export [^;]*? from "\./([^"]+)";', re.MULTILINE)  # fmt: skip


def first_page() -> set[str]:
    """Names of the files of the first page; of the languages the largest."""
    waiting = {"index.html", *NAMED.findall(FILES["index.html"].plain.decode())}
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        found.add(name)
        if name.endswith(".js") and not name.startswith("vendor/"):
            named = {one or other for one, other in IMPORTED.findall(FILES[name].plain.decode())}
            waiting |= named - found
    languages = [name for name in FILES if name.startswith("words/")]
    return found | {max(languages, key=lambda name: len(FILES[name].compressed))}


def test_the_first_page_is_small() -> None:
    files = first_page()
    assert {"console.js", "queue.js", "words.js", "vendor/uPlot.iife.min.js"} <= files
    assert not {"vendor/leaflet.js", "map.js", "corridor.js"} & files, "these wait until needed"
    assert sum(len(FILES[name].compressed) for name in files) < LIMIT_BYTES
