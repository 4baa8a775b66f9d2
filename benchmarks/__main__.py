"""`python -m benchmarks [name ...]`: runs the named benchmarks, or those of a quick look; `--list` names them all."""

from __future__ import annotations

import importlib
import runpy
import sys
from collections.abc import Mapping
from typing import Final

QUICK: Final[Mapping[str, str]] = {
    "store": "benchmarks.bench_store",
    "detect": "benchmarks.bench_detect",
    "ingest": "benchmarks.bench_ingest",
    "alert_lag": "benchmarks.bench_alert_lag",
    "notify": "benchmarks.bench_notify",
    "demo": "benchmarks.bench_demo",
}
"""Name -> module; run when no name is given."""

LONG: Final[Mapping[str, str]] = {
    "api": "benchmarks.bench_api",
    "backlog": "benchmarks.bench_backlog",
    "console": "benchmarks.bench_console",
    "detect_peers": "benchmarks.bench_detect_peers",
    "holidays": "benchmarks.bench_holidays",
    "road_seeds": "benchmarks.bench_road_seeds",
    "road_variants": "benchmarks.bench_road_variants",
    "ingest_peers": "benchmarks.bench_ingest_peers",
    "meter_seeds": "benchmarks.bench_meter_seeds",
    "joint_pairs": "benchmarks.joint_pairs",
    "meter_variants": "benchmarks.bench_meter_variants",
    "nab_nested": "benchmarks.nab_nested",
    "scaling": "benchmarks.bench_scaling",
    "storage": "benchmarks.bench_storage",
    "zone_seeds": "benchmarks.bench_zone_seeds",
}
"""The same for those that take many minutes or fetch something; run by name alone."""


def main(arguments: list[str]) -> int:
    """Run benchmarks one after the other; what follows `--` goes to each of them."""
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    names, passed = arguments[:cut], arguments[cut + 1 :]
    known = {**QUICK, **LONG}
    unknown = [name for name in names if name not in known and name != "--list"]
    if "--list" in names or unknown:
        for name, path in known.items():
            purpose = (importlib.import_module(path).__doc__ or "").strip().splitlines()[0]
            print(f"  {name:14} {purpose}")
        if unknown:
            print(f"There is no benchmark {', '.join(unknown)}.", file=sys.stderr)
        return 2 if unknown else 0
    for name in names or QUICK:
        sys.argv = [f"benchmarks {name}", *passed]
        runpy.run_module(known[name], run_name="__main__", alter_sys=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
