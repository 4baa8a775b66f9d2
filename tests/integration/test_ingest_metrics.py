"""What ingest tells Prometheus agrees with the account, and its port is free again afterwards."""

import contextlib
import socket
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from services.embedded.processes import free_port
from tests.ingest_worker import Publisher, body, committed, register, working
from tests.waiting import PATIENCE_S, DeadlinePassed, wait_until


def scrape(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE_S) as answer:
        text = answer.read().decode()
    return {
        sample.name + "".join(f"{{{value}}}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_say_what_the_account_says(
    database_url: str, mqtt_url: str, device_mqtt_url: str
) -> None:
    register(database_url)
    port = free_port()
    with (
        working(database_url, mqtt_url, worker="metrics", metrics_port=port),
        Publisher(device_mqtt_url, "metrics") as device,
    ):
        device.publish("citygauge/v1/water/m0/reading", [body(1), body(2), body(1), body(0)])
        device.publish("citygauge/v1/water/m0/reading", b"junk")
        device.settle()
        found = committed(database_url, 5)
        names = ("received", "messages", "stored", "merged", "duplicate", "conflicting", "late")
        expected = {f"{name}_total": float(getattr(found, name)) for name in names} | {
            "rejected_total{not_json}": 1.0,
            "in_flight": 0.0,
            "broker_connected": 1.0,
            "database_connected": 1.0,
            "newest_observed_timestamp_seconds": 1_795_309_202.0,
        }
        told: dict[str, float] = {}

        def agrees() -> bool:
            told.update(scrape(port))
            return {name: told[f"citygauge_ingest_{name}"] for name in expected} == expected

        with contextlib.suppress(DeadlinePassed):  # what differs is shown by the comparison
            wait_until(agrees)
    assert {name: told[f"citygauge_ingest_{name}"] for name in expected} == expected
    assert found.rejected == 1
    assert told["citygauge_ingest_commit_seconds_count"] >= 1
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))
