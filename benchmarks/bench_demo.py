"""The whole service on one machine: lag from publish to stored and to the alert, and the memory of each process.

It runs `citygauge demo` as a user would and measures from outside; `--seconds N` says for how long.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from benchmarks.accounts import descendants, resident_peak_bytes
from benchmarks.report import table, write

SERVICES: Final = ("ingest", "detect", "notify", "api", "simulate")


def memory(root: int) -> dict[str, float]:
    """Peak resident MB of each service below the demo's process, and of both servers with their children."""
    found: dict[str, float] = {}
    for pid in descendants(root):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if any(word.endswith("guardian.py") for word in words):
            continue  # it watches a server and is not one
        if "services.cli" in words:
            name = words[words.index("services.cli") + 1]
        elif words[0].endswith(("/postgres", "/mosquitto")):
            name = words[0].rpartition("/")[2]
        else:
            continue
        found[name] = resident_peak_bytes(pid) / 1e6
    return found


def run(seconds: int) -> tuple[dict[str, Any], dict[str, float]]:
    """The demo's own result, and the highest memory seen of each process."""
    command = [sys.executable, "-m", "services.cli", "demo", "--for", str(seconds), "--json"]
    peaks: dict[str, float] = {}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as demo:
        while True:
            try:
                said, _ = demo.communicate(timeout=1)
                break
            except subprocess.TimeoutExpired:
                for name, value in memory(demo.pid).items():
                    peaks[name] = max(peaks.get(name, 0.0), value)
    if demo.returncode:
        raise SystemExit(f"the demo ended with status {demo.returncode}")
    return json.loads(said), peaks


def main() -> None:
    """Measure, print, write build/bench/demo.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=30)
    result, peaks = run(parser.parse_args().seconds)
    books = ("published", "stored", "duplicates", "rejected", "in_flight")
    print(table("The books, in readings", books, [[result[name] for name in books]]))
    lags = {"stored": result["lag_ms"], "alert": result["alert_lag_ms"]}
    rows = [[f"publish to {name}", lag["p50"], lag["p99"]] for name, lag in lags.items()]
    print("\n" + table("Lag, ms", ("from ... to", "p50", "p99"), rows))
    print(
        "\n"
        + table(
            "From the command to the first live reading", ("", "s"), [["start", result["ready_s"]]]
        )
    )
    order = sorted(peaks, key=lambda name: (name not in SERVICES, name))
    print(
        "\n"
        + table(
            "Peak resident memory, MB (postgres: the sum of its processes, shared pages in each)",
            ("process", "MB"),
            [[name, peaks[name]] for name in order],
        )
    )
    write(
        "demo",
        {
            "books": {name: result[name] for name in books},
            "alerts": len(result["alerts"]),
            "ready_s": result["ready_s"],
            "lag_ms": result["lag_ms"],
            "alert_lag_ms": result["alert_lag_ms"],
            "memory_mb": peaks,
        },
    )


if __name__ == "__main__":
    main()
