"""Other people's clients, unchanged, drive the same story on both servers.

The story: a namespace, a ConfigMap through its whole life (create, read, list by label, patch,
replace with a stale version, watch), a CRD with a schema and one object of it, server-side
apply, errors.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.smoke]

LABELS = {"app": "examiner"}


def crd(group: str) -> dict[str, Any]:
    """A CRD with a schema, a default, a CEL rule and a status subresource."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "spec": {
                                    "type": "object",
                                    "properties": {
                                        "size": {"type": "integer", "default": 3},
                                        "max": {"type": "integer"},
                                    },
                                    "x-kubernetes-validations": [
                                        {
                                            "rule": "!has(self.max) || self.size <= self.max",
                                            "message": "size must not exceed max",
                                        }
                                    ],
                                },
                                "status": {
                                    "type": "object",
                                    "x-kubernetes-preserve-unknown-fields": True,
                                },
                            },
                        }
                    },
                }
            ],
        },
    }


def test_official_client(kubeconfig: Path, namespace: str) -> None:
    from kubernetes import client, config, watch
    from kubernetes.client.rest import ApiException

    api = client.CoreV1Api(config.new_client_from_config(str(kubeconfig)))
    api.create_namespace({"metadata": {"name": namespace}})
    made = api.create_namespaced_config_map(
        namespace, {"metadata": {"name": "c", "labels": LABELS}, "data": {"k": "1"}}
    )
    assert made.metadata.uid and made.metadata.resource_version
    with pytest.raises(ApiException) as exists:
        api.create_namespaced_config_map(namespace, {"metadata": {"name": "c"}})
    assert exists.value.status == 409
    listed = api.list_namespaced_config_map(namespace, label_selector="app=examiner")
    assert [c.metadata.name for c in listed.items] == ["c"]
    patched = api.patch_namespaced_config_map("c", namespace, {"data": {"k": "2", "l": "3"}})
    assert patched.data == {"k": "2", "l": "3"}
    made.data = {"k": "stale"}
    with pytest.raises(ApiException) as conflict:
        api.replace_namespaced_config_map("c", namespace, made)
    assert conflict.value.status == 409
    seen = []
    for event in watch.Watch().stream(
        api.list_namespaced_config_map, namespace, timeout_seconds=20,
        resource_version=made.metadata.resource_version, label_selector="app=examiner",
    ):  # fmt: skip
        seen.append((event["type"], event["object"].data))
        if len(seen) == 1:
            api.delete_namespaced_config_map("c", namespace)
        if event["type"] == "DELETED":
            break
    assert [kind for kind, _ in seen] == ["MODIFIED", "DELETED"]
    with pytest.raises(ApiException) as gone:
        api.read_namespaced_config_map("c", namespace)
    assert gone.value.status == 404
    api.delete_namespace(namespace)


def test_asyncio_client(kubeconfig: Path, namespace: str) -> None:
    from kubernetes_asyncio import client, config, watch

    async def story() -> None:
        await config.load_kube_config(str(kubeconfig))
        async with client.ApiClient() as transport:
            api = client.CoreV1Api(transport)
            await api.create_namespace({"metadata": {"name": namespace}})
            await api.create_namespaced_secret(
                namespace, {"metadata": {"name": "s"}, "stringData": {"token": "x"}}
            )
            secret = await api.read_namespaced_secret("s", namespace)
            assert secret.data == {"token": "eA=="} and secret.type == "Opaque"
            async with watch.Watch().stream(
                api.list_namespaced_secret, namespace, timeout_seconds=20,
                field_selector="metadata.name=s",
            ) as stream:  # fmt: skip
                async for event in stream:
                    assert event["type"] == "ADDED"
                    break
            await api.delete_namespace(namespace)

    asyncio.run(story())


def test_kr8s(kubeconfig: Path, namespace: str) -> None:
    import kr8s
    from kr8s.objects import ConfigMap, Namespace

    api = kr8s.api(kubeconfig=str(kubeconfig))
    assert api.version()["major"] == "1"
    Namespace({"metadata": {"name": namespace}}, api=api).create()
    config_map = ConfigMap(
        {"metadata": {"name": "c", "namespace": namespace}, "data": {"k": "1"}}, api=api
    )
    config_map.create()
    config_map.label(app="examiner")
    config_map.patch({"data": {"k": "2"}})
    found = list(api.get("configmaps", namespace=namespace, label_selector="app=examiner"))
    assert [c.data["k"] for c in found] == ["2"]
    config_map.delete()
    config_map.wait("delete")
    Namespace.get(namespace, api=api).delete()


def test_lightkube(kubeconfig: Path, namespace: str) -> None:
    from lightkube import Client, KubeConfig
    from lightkube.core.exceptions import ApiError
    from lightkube.generic_resource import create_namespaced_resource
    from lightkube.models.meta_v1 import ObjectMeta
    from lightkube.resources.apiextensions_v1 import CustomResourceDefinition
    from lightkube.resources.core_v1 import ConfigMap, Namespace

    client = Client(config=KubeConfig.from_file(str(kubeconfig)), field_manager="lightkube")
    client.create(Namespace(metadata=ObjectMeta(name=namespace)))
    group = f"{namespace}.example.com"
    client.create(CustomResourceDefinition.from_dict(crd(group)))
    client.wait(CustomResourceDefinition, f"widgets.{group}", for_conditions=["Established"])
    Widget = create_namespaced_resource(group, "v1", "Widget", "widgets")
    made = client.create(Widget({"metadata": {"name": "w", "namespace": namespace}, "spec": {}}))
    assert made["spec"] == {"size": 3}
    with pytest.raises(ApiError) as invalid:
        client.create(
            Widget({"metadata": {"name": "x", "namespace": namespace}, "spec": {"max": 1}})
        )
    assert invalid.value.status.code == 422
    assert "size must not exceed max" in invalid.value.status.message
    wanted = ConfigMap(metadata=ObjectMeta(name="c", namespace=namespace), data={"k": "1"})
    client.apply(wanted)
    with pytest.raises(ApiError) as conflict:
        client.apply(
            ConfigMap(metadata=ObjectMeta(name="c", namespace=namespace), data={"k": "2"}),
            field_manager="someone-else",
        )
    assert conflict.value.status.code == 409
    assert [c.metadata.name for c in client.list(ConfigMap, namespace=namespace)].count("c") == 1
    client.delete(CustomResourceDefinition, f"widgets.{group}")
    client.delete(Namespace, namespace)


OPERATOR = """
    import kopf

    @kopf.on.create("GROUP", "v1", "widgets")
    def created(spec, patch, **_):
        patch.status["doubled"] = spec["size"] * 2

    @kopf.on.update("GROUP", "v1", "widgets", field="spec.size")
    def resized(new, patch, **_):
        patch.status["doubled"] = new * 2

    @kopf.on.delete("GROUP", "v1", "widgets")
    def deleted(**_):
        pass
"""


def test_kopf_operator(kubeconfig: Path, namespace: str, tmp_path: Path) -> None:
    from kubernetes import client, config, watch

    transport = config.new_client_from_config(str(kubeconfig))
    client.CoreV1Api(transport).create_namespace({"metadata": {"name": namespace}})
    group = f"{namespace}.example.com"
    extensions = client.ApiextensionsV1Api(transport)
    extensions.create_custom_resource_definition(crd(group))
    for event in watch.Watch().stream(
        extensions.list_custom_resource_definition, timeout_seconds=30,
        field_selector=f"metadata.name=widgets.{group}",
    ):  # fmt: skip
        conditions = event["object"].status.conditions or [] if event["object"].status else []
        if any(c.type == "Established" and c.status == "True" for c in conditions):
            break
    script = tmp_path / "operator.py"
    script.write_text(textwrap.dedent(OPERATOR).replace("GROUP", group))
    command = [sys.executable, "-m", "kopf", "run", "-n", namespace, "--quiet", str(script)]
    operator = subprocess.Popen(
        command, env={"KUBECONFIG": str(kubeconfig), "PATH": "/usr/bin:/bin"},
        stdout=(tmp_path / "log").open("wb"), stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        widgets = client.CustomObjectsApi(transport)
        args = (group, "v1", namespace, "widgets")
        widgets.create_namespaced_custom_object(
            *args, {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"},
                    "spec": {"size": 21}},
        )  # fmt: skip
        wanted, deleted = [42, 10], False
        for event in watch.Watch().stream(
            widgets.list_namespaced_custom_object, *args, timeout_seconds=60
        ):
            doubled = event["object"].get("status", {}).get("doubled")
            if wanted and doubled == wanted[0]:
                wanted.pop(0)
                if wanted:
                    widgets.patch_namespaced_custom_object(*args, "w", {"spec": {"size": 5}})
                else:
                    widgets.delete_namespaced_custom_object(*args, "w")
            if event["type"] == "DELETED":
                deleted = True
                break
        assert (wanted, deleted) == ([], True), (tmp_path / "log").read_text()[-2000:]
    finally:
        operator.terminate()
        operator.wait(timeout=30)


def test_kubeconfig_is_private(kubeconfig: Path) -> None:
    assert kubeconfig.stat().st_mode & 0o077 == 0
    assert yaml.safe_load(kubeconfig.read_text())["kind"] == "Config"
