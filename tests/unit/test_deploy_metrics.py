"""Dashboard and alarm rules ask Prometheus for metrics and labels that the services really have."""

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser as promql
import pytest
import yaml
from prometheus_client import CollectorRegistry

from services.api.metrics import ApiMetrics
from services.detect.metrics import DetectMetrics
from services.ingest.metrics import IngestMetrics
from services.notify.metrics import NotifyMetrics
from tests.deployment import DEPLOY

ROOMS = {
    "citygauge-ingest": IngestMetrics(),
    "citygauge-detect": DetectMetrics(),
    "citygauge-notify": NotifyMetrics(["log"]),
    "citygauge-api": ApiMetrics(),
}
SUFFIXES = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
    "summary": ("_sum", "_count"),
}
FROM_PROMETHEUS = {"job", "instance"}
RULES = yaml.safe_load((DEPLOY / "prometheus/rules.yml").read_text())
DASHBOARDS = {
    path.name: json.loads(path.read_text())
    for path in sorted((DEPLOY / "grafana/dashboards").glob("*.json"))
}


def series() -> dict[str, set[str]]:
    """Name of a series -> its labels, of all rooms."""
    found = {"up": set(FROM_PROMETHEUS)}
    for room in ROOMS.values():
        registry: CollectorRegistry = room.registry
        for collector in list(registry._collector_to_names):
            labels = {*FROM_PROMETHEUS, *getattr(collector, "_labelnames", ())}
            for family in collector.collect():
                for suffix in SUFFIXES[family.type]:
                    bounds = {"le"} if suffix == "_bucket" else set()
                    found[family.name + suffix] = labels | bounds
    return found


SERIES = series()


def rules() -> Iterator[dict[str, Any]]:
    for group in RULES["groups"]:
        yield from group["rules"]


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, dashboard in DASHBOARDS.items():
        for panel in dashboard["panels"]:
            if panel["type"] != "row":
                yield f"{name}: {panel['title']}", panel


def expressions() -> Iterator[Any]:
    for rule in rules():
        yield pytest.param(rule["expr"], id=rule["alert"])
    for name, panel in panels():
        for target in panel["targets"]:
            yield pytest.param(target["expr"], id=f"{name} {target['refId']}")


def parsed(expression: str) -> promql.Expr:
    """The syntax tree; Grafana's only variable of ours stands for a duration."""
    return promql.parse(expression.replace("$__rate_interval", "5m").replace("$__range", "1h"))


def nodes(expression: promql.Expr) -> list[Any]:
    found: list[Any] = []
    promql.walk(expression, found.append)
    return found


@pytest.mark.parametrize("expression", list(expressions()))
def test_an_expression_asks_for_what_there_is(expression: str) -> None:
    tree = nodes(parsed(expression))
    selectors = [node for node in tree if isinstance(node, promql.VectorSelector)]
    assert selectors
    known: set[str] = set()
    for selector in selectors:
        assert selector.name in SERIES, f"no service has {selector.name}"
        known |= SERIES[selector.name]
        for matcher in selector.matchers.matchers:
            assert matcher.name in SERIES[selector.name], f"{selector.name} has no {matcher.name}"
            if matcher.name == "job":
                assert any(re.fullmatch(matcher.value, job) for job in ROOMS)
    for node in tree:
        if isinstance(node, promql.AggregateExpr) and node.modifier is not None:
            assert set(node.modifier.labels) <= known, node.modifier.labels


@pytest.mark.parametrize("expression", list(expressions()))
def test_a_counter_is_asked_for_its_rate_and_a_gauge_for_its_value(expression: str) -> None:
    changes = {"rate", "irate", "increase"}
    for node in nodes(parsed(expression)):
        if not isinstance(node, promql.Call) or node.func.name not in changes:
            continue
        for inner in node.args:
            if isinstance(inner, promql.MatrixSelector):
                name = inner.vector_selector.name
                assert name.endswith(("_total", "_bucket", "_sum", "_count")), name
    text = re.sub(r"(rate|increase)\([^()]*\)", "", expression)
    assert not re.search(r"citygauge_\w+_(total|bucket)\b", text)


def test_the_file_of_rules_has_the_form_that_prometheus_reads() -> None:
    assert set(RULES) == {"groups"}
    for group in RULES["groups"]:
        assert set(group) <= {"name", "interval", "rules"}
        for rule in group["rules"]:
            assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
            assert re.fullmatch(r"\d+[smh]", rule["for"])
            assert re.fullmatch(r"Citygauge[A-Z]\w+", rule["alert"])
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("rule", list(rules()), ids=lambda rule: rule["alert"])
def test_an_alarm_says_what_it_means_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert set(rule["annotations"]) == {"summary", "description"}
    for text in rule["annotations"].values():
        assert text.strip().endswith(".")
        for template in re.findall(r"{{(.*?)}}", text):
            assert re.fullmatch(r" \$(value|labels\.\w+)( \| humanize\w*)? ", template), template


@pytest.mark.parametrize(
    "alarm",
    [
        "CitygaugeServiceDown",
        "CitygaugeFeedLag",
        "CitygaugeIngestNotConnected",
        "CitygaugeManyRejected",
        "CitygaugeNoReadings",
        "CitygaugeNobodyDetects",
        "CitygaugeOutboxWaits",
        "CitygaugeRouteAway",
        "CitygaugeUndelivered",
    ],
)
def test_what_must_wake_somebody_has_its_alarm(alarm: str) -> None:
    assert alarm in {rule["alert"] for rule in rules()}


def test_every_service_has_a_place_on_the_dashboard() -> None:
    used = {
        node.name
        for _, panel in panels()
        for target in panel["targets"]
        for node in nodes(parsed(target["expr"]))
        if isinstance(node, promql.VectorSelector)
    }
    for job in ROOMS:
        assert any(name.startswith(f"{job.replace('-', '_')}_") for name in used), job


@pytest.mark.parametrize("name", list(DASHBOARDS))
def test_a_dashboard_can_be_provisioned(name: str) -> None:
    dashboard = DASHBOARDS[name]
    assert dashboard["uid"] == name.removesuffix(".json")
    assert dashboard["id"] is None
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert panel["description"], panel["title"]
            assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
