"""What ingest tells Prometheus agrees with the account, and its port is free again afterwards."""

import socket
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from tests.ingest_worker import Publisher, body, committed, register, working
from tests.waiting import wait_until


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def scrape(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
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
        wait_until(lambda: scrape(port)["citygauge_ingest_received_total"] == 5, 60)
        told = scrape(port)
    names = ("received", "messages", "stored", "merged", "duplicate", "conflicting", "late")
    for name in names:
        assert told[f"citygauge_ingest_{name}_total"] == getattr(found, name), name
    assert told["citygauge_ingest_rejected_total{not_json}"] == found.rejected == 1
    assert told["citygauge_ingest_in_flight"] == 0
    assert told["citygauge_ingest_broker_connected"] == 1
    assert told["citygauge_ingest_database_connected"] == 1
    assert told["citygauge_ingest_newest_observed_timestamp_seconds"] == 1_795_309_202
    assert told["citygauge_ingest_commit_seconds_count"] >= 1
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))
