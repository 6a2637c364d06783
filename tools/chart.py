"""Writes the Helm chart from `athanor.assembly.install.manifests`, its templates where values go.

The definitions are in the chart's `crds`, a link to `deploy/crds`: Helm makes them first, and
neither upgrades nor deletes them. `python tools/chart.py` writes, `--check` only compares (a tidy
test does that).
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from athanor.assembly.install import objects, remove, submitter
from athanor.assembly.install.manifests import manifests
from athanor.assembly.install.older import OLDEST
from athanor.assembly.install.parts import Wishes

CHART = Path(__file__).parent.parent / "deploy" / "helm" / "athanor"
HEAD = "# Written by `make crds` from src/athanor/assembly/install. Do not edit.\n"
IMAGE, NAMESPACE, REPLICAS, PULL = "image-of-the-values", "namespace-of-the-release", 77777, "Pull"
URL, STORAGE, API_PORT = "url-of-the-values", "storage-of-the-values", 88888
CPU, MEMORY, MOST = "cpu-of-the-values", "memory-of-the-values", "limit-of-the-values"
TEMPLATES = {
    IMAGE: "{{ .Values.image | quote }}",
    NAMESPACE: "{{ .Release.Namespace }}",
    str(REPLICAS): "{{ .Values.replicas }}",
    str(API_PORT): "{{ .Values.apiPort }}",
    f"imagePullPolicy: {PULL}": "imagePullPolicy: {{ .Values.pullPolicy }}",
    URL: "{{ .Values.gatewayUrl | quote }}",
    STORAGE: "{{ .Values.storage | quote }}",
    CPU: "{{ .Values.resources.requests.cpu | quote }}",
    MEMORY: "{{ .Values.resources.requests.memory | quote }}",
    MOST: "{{ .Values.resources.limits.memory | quote }}",
    f"pull_policy: {PULL}": "pull_policy: {{ .Values.pullPolicy }}",
    "dashboard: 'true'": "dashboard: '{{ (.Values.monitoring).dashboard | default false }}'",
    "rules: 'true'": "rules: '{{ (.Values.monitoring).rules | default false }}'",
}
OPTIONAL = {
    ("ConfigMap", "athanor-dashboard"): "(.Values.monitoring).dashboard",
    ("PrometheusRule", "athanor"): "(.Values.monitoring).rules",
}
KEEP = {"helm.sh/resource-policy": "keep"}
SIZE = {
    "type": ["string", "integer"], "pattern": "^[0-9.]*[1-9][0-9.]*(k|[MGTPE]|[KMGTPE]i)?$",
}  # fmt: skip
AMOUNT = {"type": ["string", "number"], "pattern": "^[0-9.]*[1-9][0-9.]*m?$"}


def _closed(**properties: dict[str, Any]) -> dict[str, Any]:
    """An object that has these properties and no others."""
    return {"type": "object", "additionalProperties": False, "properties": properties}


SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "image": {"type": "string", "minLength": 1},
        "pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
        "replicas": {"type": "integer", "minimum": 1, "maximum": 9},
        "gatewayUrl": {"type": "string", "pattern": "^(https://.+)?$"},
        "storage": SIZE,
        "apiPort": {"type": "integer", "minimum": 1, "maximum": 65535},
        "resources": _closed(
            requests=_closed(cpu=AMOUNT, memory=SIZE), limits=_closed(memory=SIZE)
        ),
        "monitoring": _closed(dashboard={"type": "boolean"}, rules={"type": "boolean"}),
        "global": {"type": "object"},
    },
}
"""What `athanor install` takes; a chart around this one may have values for all."""


class Plain(yaml.SafeDumper):
    """Says everything where it belongs: no aliases."""

    def ignore_aliases(self, data: object) -> bool:
        """Never."""
        return True


def _whole(dumper: yaml.SafeDumper, said: str) -> yaml.ScalarNode:
    """Text of several lines as it is."""
    style = "|" if "\n" in said else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", said, style=style)


Plain.add_representer(str, _whole)


def chart() -> dict[str, str]:
    """File name → text of the chart; the namespace is the release's own."""
    wishes = Wishes(
        image=IMAGE, namespace=NAMESPACE, replicas=REPLICAS, pull_policy=PULL,
        version=version("athanor"), gateway_url=URL, storage=STORAGE, api_port=API_PORT,
        cpu=CPU, memory=MEMORY, memory_limit=MOST, dashboard=True, rules=True,
    )  # fmt: skip
    about = {
        "apiVersion": "v2", "name": "athanor", "version": version("athanor"),
        "appVersion": version("athanor"), "type": "application",
        "kubeVersion": f">={OLDEST[0]}.{OLDEST[1]}.0-0",
        "description": "Queues, gangs and training jobs on Kubernetes",
    }  # fmt: skip
    values = {
        "image": "athanor:latest", "pullPolicy": "IfNotPresent", "replicas": 2,
        "gatewayUrl": "", "storage": "20Gi", "apiPort": 6443,
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}},
        "monitoring": {"dashboard": False, "rules": False},
    }  # fmt: skip
    files = {
        "Chart.yaml": HEAD + text(about), "values.yaml": HEAD + text(values),
        "values.schema.json": json.dumps(SCHEMA, indent=2) + "\n",
    }  # fmt: skip
    for manifest in manifests(wishes):
        kind = manifest["kind"].lower()
        if kind in ("namespace", "customresourcedefinition"):
            continue
        if remove.stays(manifest):
            manifest["metadata"]["annotations"] = KEEP
        name = f"templates/{kind}-{manifest['metadata']['name'].replace(':', '-')}.yaml"
        body = text(manifest).replace("{{", '{{ "{{" }}')  # what Grafana and Prometheus fill in
        for found, template in TEMPLATES.items():
            body = body.replace(found, template)
        when = OPTIONAL.get((manifest["kind"], manifest["metadata"]["name"]), "")
        if (manifest["apiVersion"], manifest["kind"]) in objects.NEWER:
            when = f'.Capabilities.APIVersions.Has "{submitter.VERSION}/{manifest["kind"]}"'
        if when:
            body = f"{{{{- if {when} }}}}\n{body}{{{{- end }}}}\n"
        files[name] = HEAD + body
    return files


def text(value: Any) -> str:
    """One YAML document."""
    return str(yaml.dump(value, Dumper=Plain, sort_keys=False, width=100))


def wanted() -> dict[Path, str]:
    """Every generated file."""
    return {CHART / name: body for name, body in chart().items()}


def main() -> int:
    """Write the files, or with --check compare them; 1 when one is out of date."""
    files = wanted()
    there = {*CHART.glob("*.yaml"), *CHART.glob("*.json"), *CHART.glob("templates/*.yaml")}
    outdated = [
        path for path, body in files.items() if not path.exists() or path.read_text() != body
    ] + sorted(there - set(files))
    if "--check" in sys.argv[1:]:
        print("\n".join(f"{path} is out of date: run make crds" for path in outdated))
        return int(bool(outdated))
    for path in there - set(files):
        path.unlink()
    for path, body in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body)
    return 0


if __name__ == "__main__":
    sys.exit(main())
