"""A quick look at ingest beside the broker's ceiling, one round: single readings, by plain paho too, arrays, columns.

It is the run of `ingest_peers` without the peers; the same options change it. Draining a backlog is `backlog`, several
workers are `scaling`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from benchmarks import bench_ingest_peers
from benchmarks.peers.pipelines import Name

_ONLY: Final = (
    Name.CEILING,
    Name.RECEIVE,
    Name.OURS,
    Name.OURS_PLAIN_PAHO,
    Name.OURS_QOS_0,
    Name.OURS_ARRAY,
    Name.OURS_COLUMNS,
)


def main(arguments: Sequence[str]) -> None:
    """Measure, print the tables, write build/bench/ingest.json."""
    quick = ["--rounds", "1", "--messages", "100000", "--steady-s", "3"]
    bench_ingest_peers.main([*quick, "--name", "ingest", "--only", *_ONLY, *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
