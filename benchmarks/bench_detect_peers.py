"""The rolling core beside river, pandas, polars and a compiled twin, one core each, in one run; prints a table.

python -m benchmarks detect_peers [-- --rounds N]  ->  build/bench/detect_peers.json
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.peers.fetched import NotInstallable, python_environment, statistics_libraries
from benchmarks.peers.rolling import PROGRAMS
from benchmarks.report import table, write

SENSORS: Final = (10_000, 100_000)
READINGS: Final = 1_600_000
AGREED: Final = 1e-5
"""Share by which sums of last means and variances may differ; ours and numba's rings are float32."""

ONE_CORE: Final = {
    "POLARS_MAX_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


def run(name: str, sensors: int, packages: Path) -> tuple[float, Sequence[float]]:
    """Readings a second of processor time of one program, and what it ended with.

    Raises:
        SystemExit: it failed; the text is the end of what it said.
    """
    command = [sys.executable, "-m", "benchmarks.peers.rolling", name, str(sensors), str(READINGS)]
    environment = {**python_environment(packages if name != "ours" else None), **ONE_CORE}
    ended = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    if ended.returncode:
        raise SystemExit(f"{name} failed: {ended.stderr.strip()[-600:]}")
    found = json.loads(ended.stdout)
    return READINGS / found["cpu_s"], found["ends"]


def agree(ends: Sequence[float], with_ours: Sequence[float]) -> bool:
    """Whether the last means and variances are ours; EW means begin differently and are compared at 1e-3."""
    return all(
        math.isclose(a, b, rel_tol=tolerance)
        for a, b, tolerance in zip(ends, with_ours, (AGREED, AGREED, 1e-3), strict=True)
    )


def main() -> None:
    """Interleave the rounds, check that all did the same work, print ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each program, interleaved")
    rounds = parser.parse_args().rounds
    try:
        packages = statistics_libraries()
    except NotInstallable as error:
        raise SystemExit(f"The libraries to compare with cannot be had here: {error}") from error
    results = []
    for sensors in SENSORS:
        speeds: dict[str, list[float]] = {name: [] for name in PROGRAMS}
        ends: dict[str, Sequence[float]] = {}
        for _ in range(rounds):
            for name in PROGRAMS:
                speed, ends[name] = run(name, sensors, packages)
                speeds[name].append(speed)
        for name, found in speeds.items():
            if sensors == SENSORS[0] and not agree(ends[name], ends["ours"]):
                raise SystemExit(f"{name} ended with {ends[name]}, ours with {ends['ours']}")
            results.append(
                {
                    "program": name,
                    "sensors": sensors,
                    "readings_per_s": round(statistics.median(found)),
                    "ours_is_times_as_fast": statistics.median(speeds["ours"])
                    / statistics.median(found),
                }
            )
    rows = [
        [
            f"{r['program']}, {r['sensors']:,} sensors",
            r["readings_per_s"],
            1e6 / float(r["readings_per_s"]),
            r["ours_is_times_as_fast"],
        ]
        for r in results
    ]
    print(
        table(
            "Ring of 60 with mean and variance, EW mean and variance; one core",
            ["program", "readings/s", "us each", "ours is x as fast"],
            rows,
        )
    )
    write("detect_peers", {"readings": READINGS, "rounds": rounds, "results": results})


if __name__ == "__main__":
    main()
