"""A client of Citygauge's API: questions in plain Python, answers as numpy, pandas or polars through Arrow.

    from citygauge.client import Client

    with Client("https://citygauge.example.org", key="cg_...") as city:
        flow = city.readings(zone="Zone 3", metrics="flow", bucket="PT1H", start="2026-01-01T00:00:00Z")
        flow.to_pandas()

It needs the extra `client` (pip install "citygauge[client]"); pandas and polars only where they are asked for. It
imports nothing of the services: what it knows of them is their API.
"""

from citygauge.client.client import Client
from citygauge.client.errors import CitygaugeApiError, DownloadDamaged, ExportFailed
from citygauge.client.live import LiveEvent
from citygauge.client.table import Table

__all__ = [
    "CitygaugeApiError",
    "Client",
    "DownloadDamaged",
    "ExportFailed",
    "LiveEvent",
    "Table",
]
