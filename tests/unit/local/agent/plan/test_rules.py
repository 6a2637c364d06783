"""Small rules of the node: quality of service, admission, probes, names."""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.local.agent.plan import fit, names, probes
from athanor.local.agent.plan.observed import Health
from athanor.local.agent.plan.qos import qos_class


def spec(*wishes: JSON, **more: object) -> JSON:
    containers = [{"name": f"c{i}", "resources": wish} for i, wish in enumerate(wishes)]
    return {"containers": containers, **more}


def test_quality_of_service() -> None:
    full = {"limits": {"cpu": "1", "memory": "1Gi"}}
    assert qos_class(spec({})) == "BestEffort"
    assert qos_class(spec(full)) == "Guaranteed"
    assert qos_class(spec({**full, "requests": {"cpu": "1000m"}})) == "Guaranteed"
    assert qos_class(spec({**full, "requests": {"cpu": "500m"}})) == "Burstable"
    assert qos_class(spec(full, {})) == "Burstable"
    assert qos_class(spec({"limits": {"nvidia.com/gpu": "1"}})) == "BestEffort"


def test_a_pods_requests_are_mains_and_sidecars_or_the_largest_init() -> None:
    one, two = {"requests": {"cpu": "1"}}, {"requests": {"cpu": "2"}}
    inits = [
        {"name": "s", "resources": one, "restartPolicy": "Always"},
        {"name": "i", "resources": {"requests": {"cpu": "5"}}},
    ]
    assert fit.requests(spec(one, two)) == {"cpu": 3000}
    assert fit.requests(spec(one, two, initContainers=inits)) == {"cpu": 6000}


def test_admission_keeps_a_sum() -> None:
    ledger = fit.Ledger()
    room = {"cpu": "2", "pods": "3"}
    half = spec({"requests": {"cpu": "1500m"}})
    assert ledger.refuse(half, room) is None
    ledger.charge("a", half)
    refused = ledger.refuse(half, room)
    assert refused is not None and refused.reason == "OutOfcpu"
    assert ledger.refuse(spec({}), room) is None
    ledger.charge("b", spec({}))
    ledger.charge("c", spec({}))
    full = ledger.refuse(spec({}), room)
    assert full is not None and full.reason == "OutOfpods"
    ledger.release("a")
    ledger.release("a")
    assert ledger.refuse(half, room) is None


def test_probes_count_to_their_thresholds() -> None:
    container: JSON = {
        "name": "c",
        "startupProbe": {"failureThreshold": 2},
        "readinessProbe": {"successThreshold": 2},
    }
    startup, ready = (probes.probe(container, k) for k in ("startupProbe", "readinessProbe"))
    assert startup is not None and ready is not None
    assert probes.health(container, {}) == Health(started=False, ready=False, alive=True)
    tally = probes.count(probes.Tally(), startup, False)
    assert tally.verdict is None
    failed = probes.count(tally, startup, False)
    assert not probes.health(container, {"startupProbe": failed}).alive
    passed = probes.count(tally, startup, True)
    one = probes.count(probes.Tally(), ready, True)
    both = probes.count(one, ready, True)
    assert probes.health(container, {"startupProbe": passed, "readinessProbe": one}) == Health(
        started=True, ready=False
    )
    assert probes.health(container, {"startupProbe": passed, "readinessProbe": both}) == Health()


def test_named_ports() -> None:
    container = {"ports": [{"name": "web", "containerPort": 80}]}
    assert probes.port_of(container, "web") == 80 and probes.port_of(container, 81) == 81


def pod(name: str, subdomain: str = "", **labels: str) -> JSON:
    return {
        "metadata": {"name": name, "namespace": "d", "labels": labels},
        "spec": {"hostname": name, **({"subdomain": subdomain} if subdomain else {})},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }


def test_names_inside_a_pod() -> None:
    one, two = pod("g-0", "g", app="g"), pod("g-1", "g", app="g")
    pods = [(one, "10.88.0.2"), (two, "10.88.0.3")]
    service = {"metadata": {"name": "g", "namespace": "d"}, "spec": {"selector": {"app": "g"}}}
    shared = names.group("g", pods) + names.services([service], "d", pods)
    table: dict[str, list[str]] = {}
    for line in names.hosts(one, "10.88.0.2", "10.88.0.1", shared).splitlines():
        address, *known = line.split()
        for name in known:
            table.setdefault(name, []).append(address)
    assert table["g-1.g"] == ["10.88.0.3"] and table["g-0"][0] == "10.88.0.2"
    assert table["kubernetes.default.svc"] == ["10.88.0.1"]
    assert sorted(set(table["g"])) == ["10.88.0.2", "10.88.0.3"]
    assert names.services([service], "other", pods) == ""
    there = names.hosts(one, "192.0.2.2", "", "", machine="bench1")
    assert "192.0.2.2\tg-0.g.d.svc.cluster.local" in there and " bench1\n" in there
