"""Dashboard and alert rules ask only for what the controllers of a cluster publish."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import promql_parser as promql
import pytest

from athanor.api.meta import JSON
from athanor.api.scheduling import Gang, Pool, Queue
from athanor.assembly.cluster import Replica, Seat
from athanor.assembly.install import monitoring
from athanor.assembly.install.manifests import manifests
from athanor.assembly.install.parts import Wishes
from athanor.features.scheduling.core.why import NAMES
from athanor.testing import lab, virtual
from tests.unit.assembly.test_cluster import restored

GPU = "nvidia.com/gpu"
SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? \S+$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="([^"]*)"')
FILLED = {"$resource": GPU, "$pool": ".*", "$queue": ".*", "$__rate_interval": "5m"}
"""What Grafana puts in."""
OF_THE_SCRAPE = {"instance"}
"""A label that Prometheus adds to every sample."""


class Query(NamedTuple):
    """An expression, and what is said about its result in the words of its labels."""

    what: str
    text: str
    said: str

    @property
    def tree(self) -> promql.Expr:
        """The expression; Prometheus' own grammar and types hold."""
        text = self.text
        for variable, value in FILLED.items():
            text = text.replace(variable, value)
        return promql.parse(text)


def gang(name: str, gpus: int) -> JSON:
    container = {"name": "main", "image": "x", "resources": {"limits": {GPU: str(gpus)}}}
    sets = [{"name": "w", "count": 1, "template": {"spec": {"containers": [container]}}}]
    meta = {"name": name, "namespace": "default"}
    return {"metadata": meta, "spec": {"queue": "q", "podSets": sets}}


@cache
def published() -> dict[str, dict[str, set[str]]]:
    """What a replica that leads answers Prometheus: metric → label → values."""
    told: list[str] = []

    async def main() -> None:
        size = {"cpu": "8", "memory": "8Gi", "pods": "20", GPU: "4"}
        async with lab.cluster([], nodes={"n": size}) as bed:
            await bed.create({"metadata": {"name": "default"}, "spec": {}}, Pool)
            quota = {"pool": "default", "guaranteed": {GPU: "1"}, "limit": {GPU: "8"}}
            await bed.create({"metadata": {"name": "q"}, "spec": {"pools": [quota]}}, Queue)
            for one in (gang("runs", 2), gang("waits", 9)):
                await bed.create(one, Gang)
            replica = Replica(bed.client, Seat(identity="a", namespace="default"), bed.clock)
            running = asyncio.ensure_future(replica.run())
            await asyncio.sleep(120)
            told.append(replica.told().decode())
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    with restored():
        virtual.run(main)
    found: dict[str, dict[str, set[str]]] = {}
    for name, labels in SAMPLE.findall(told[0]):
        metric = found.setdefault(name, {})
        for label, value in LABEL.findall(labels):
            metric.setdefault(label, set()).add(value)
    return found


def dashboard() -> Any:
    """The dashboard as Grafana reads it."""
    return json.loads(monitoring.dashboard())


def alerts() -> list[JSON]:
    """Every alert rule."""
    return [rule for group in monitoring.rules()["groups"] for rule in group["rules"]]


def queries() -> Iterator[Query]:
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            said = " ".join(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            yield Query(panel["title"], target["expr"], said)
    for rule in alerts():
        said = " ".join(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
        yield Query(rule["alert"], rule["expr"], said)


def selectors(tree: promql.Expr) -> list[promql.VectorSelector]:
    """What an expression selects."""
    return [node for node in nodes(tree) if isinstance(node, promql.VectorSelector)]


def nodes(tree: promql.Expr) -> list[promql.Expr]:
    """An expression and all within it."""
    found: list[promql.Expr] = []
    promql.walk(tree, found.append)
    return found


def joined(node: promql.Expr) -> list[str]:
    """The labels by which a node of an expression sums up or joins."""
    modifier = getattr(node, "modifier", None)
    if isinstance(node, promql.BinaryExpr) and modifier is not None:
        modifier = modifier.matching
    return list(modifier.labels) if modifier is not None else []


@pytest.mark.parametrize("query", [*queries()], ids=lambda query: query.what)
def test_what_is_asked_for_is_published(query: Query) -> None:
    for selected in selectors(query.tree):
        assert selected.name in published()
        labels = published()[selected.name]
        for matcher in selected.matchers.matchers:
            assert matcher.name in labels, f"{selected.name} has no {matcher.name}"
            if matcher.name == "reason":
                assert set(matcher.value.split("|")) <= set(NAMES.values())
            elif matcher.op == promql.MatchOp.Equal:
                assert matcher.value in labels[matcher.name]


@pytest.mark.parametrize("query", [*queries()], ids=lambda query: query.what)
def test_labels_to_join_and_to_speak_of_are_those_of_the_metrics(query: Query) -> None:
    assert selectors(query.tree)
    for node in nodes(query.tree):
        for selected in selectors(node):
            assert set(joined(node)) <= {*published()[selected.name]}, f"{node}"
    first = selectors(query.tree)[0].name
    assert {*query.said.split()} <= {*published()[first], *OF_THE_SCRAPE}


def test_every_variable_of_the_dashboard_is_made_of_what_is_published() -> None:
    source, *others = dashboard()["templating"]["list"]
    assert (source["name"], source["type"], source["query"]) == (
        "datasource", "datasource", "prometheus",
    )  # fmt: skip
    for variable in others:
        asked = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"])
        assert asked is not None and variable["query"]["query"] == variable["definition"]
        assert asked[2] == variable["name"] and asked[2] in published()[asked[1]]
    known = {f"${one['name']}" for one in others} | {"$__rate_interval"}
    assert known == {*FILLED}
    for query in queries():
        assert {*re.findall(r"\$\w+", query.text)} <= known


def test_panels_ask_the_chosen_source_and_lie_side_by_side() -> None:
    panels, places = dashboard()["panels"], set()
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        for one in (panel, *panel.get("targets", ())):
            if panel["type"] != "row":
                assert one["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                 for y in range(at["y"], at["y"] + at["h"])}  # fmt: skip
        assert at["x"] + at["w"] <= 24 and not cells & places
        places |= cells


def test_every_alert_says_what_it_is_and_what_to_do() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(set(names)) == len(names)
    for rule in alerts():
        assert rule.keys() == {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"\d+[mh]", rule["for"])
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"].keys() == {"summary", "description", "action"}


def test_an_installation_has_of_it_what_is_wished_for() -> None:
    def kinds(**wishes: bool) -> list[str]:
        made = manifests(Wishes(image="x", namespace="here", **wishes))
        return [one["kind"] for one in made
                if one["metadata"]["name"] in ("athanor", "athanor-dashboard")]  # fmt: skip

    assert kinds() == []
    assert kinds(dashboard=True) == ["ConfigMap"]
    assert kinds(rules=True) == ["PrometheusRule"]
    board, rule = monitoring.manifests(Wishes(image="x", dashboard=True, rules=True))
    assert board["metadata"]["labels"] == {"grafana_dashboard": "1"}
    assert json.loads(board["data"]["athanor.json"])["uid"] == "athanor"
    assert rule["spec"]["groups"]
