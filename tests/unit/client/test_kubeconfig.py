"""Kubeconfigs: merged as kubectl does, refused where they would run programs."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from athanor.client import kubeconfig
from athanor.client.target import Target
from athanor.wire.status import ApiError

TARGET = Target(
    server="https://127.0.0.1:6443", ca="CA", certificate="CERT", key="KEY", namespace="team"
)


def _write(path: Path, **changes: Any) -> Path:
    config = kubeconfig.document("one", TARGET)
    for place, value in changes.items():
        section, _, key = place.partition("_")
        config[f"{section}s"][0][section] |= {key.replace("_", "-"): value}
    path.write_text(kubeconfig.dump(config))
    return path


def test_written_files_are_read_back_and_private(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "config"
    kubeconfig.write(path, "one", TARGET)
    assert path.stat().st_mode & 0o777 == 0o600
    assert kubeconfig.load([path]).target() == TARGET


def test_writing_keeps_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "config"
    other = Target(server="https://other", token="t")
    kubeconfig.write(path, "one", TARGET)
    kubeconfig.write(path, "two", other)
    kubeconfig.write(path, "two", other)
    config = kubeconfig.load([path])
    assert config.current == "two"
    assert list(config.contexts) == ["one", "two"]
    assert config.target() == other
    assert config.target("one") == TARGET


def test_the_first_file_to_name_something_wins(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    kubeconfig.write(first, "one", TARGET)
    kubeconfig.write(second, "one", Target(server="https://second"))
    kubeconfig.write(second, "two", Target(server="https://two"))
    config = kubeconfig.load([tmp_path / "missing", first, second])
    assert config.target() == TARGET
    assert config.target("two").server == "https://two"


def test_files_are_relative_to_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("FILE CA")
    path = _write(tmp_path / "config")
    config = yaml.safe_load(path.read_text())
    cluster = config["clusters"][0]["cluster"]
    del cluster["certificate-authority-data"]
    cluster["certificate-authority"] = "ca.crt"
    config["users"][0]["user"] = {"tokenFile": "token"}
    path.write_text(kubeconfig.dump(config))
    target = kubeconfig.load([path]).target()
    assert target.ca == "FILE CA"
    assert target.token_file == str(tmp_path / "token")
    (tmp_path / "ca.crt").unlink()
    with pytest.raises(ApiError, match=r"certificate-authority .*ca.crt cannot be read"):
        kubeconfig.load([path]).target()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"user_exec": {"command": "x"}}, "has 'exec', and credential plugins are not run"),
        ({"user_auth_provider": {"name": "x"}}, "has 'auth-provider'"),
        ({"user_username": "x"}, "passwords are not sent"),
        ({"cluster_proxy_url": "http://p"}, "has 'proxy-url', which is not supported"),
        ({"cluster_server": ""}, "has no 'server'"),
        ({"context_cluster": "nowhere"}, "names cluster 'nowhere'"),
        ({"context_user": "nobody"}, "names user 'nobody'"),
        ({"user_client_key_data": "%%%"}, "client-key-data is not base64"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path: Path, change: dict[str, Any], match: str) -> None:
    path = _write(tmp_path / "config", **change)
    with pytest.raises(ApiError, match=match) as error:
        kubeconfig.load([path]).target()
    assert str(path) in error.value.message
    assert error.value.reason == "BadRequest"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a: [", "is not YAML"),
        ("- 1", "is not a kubeconfig"),
        ("kind: Pod", "is not a kubeconfig"),
        ("clusters: [{cluster: {}}]", "is malformed"),
        ("users: [1]", "is malformed"),
        ("", "no current-context is set"),
        ("current-context: x", "there is no context 'x' \\(known: none\\)"),
    ],
)
def test_broken_files_are_said(tmp_path: Path, text: str, match: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(ApiError, match=match):
        kubeconfig.load([path]).target()


def test_no_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(ApiError, match="no kubeconfig: no current-context"):
        kubeconfig.load([tmp_path / "none"]).target()
    with pytest.raises(ApiError, match="cannot be read"):
        kubeconfig.load([tmp_path])


def test_where_kubectl_looks() -> None:
    paths = kubeconfig.default_paths({"KUBECONFIG": "/a:/b:"})
    assert paths == [Path("/a"), Path("/b")]
    assert kubeconfig.default_paths({"HOME": "/h"}) == [Path("/h/.kube/config")]


def test_inside_a_pod(tmp_path: Path) -> None:
    environment = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    assert kubeconfig.in_cluster(environment, tmp_path) is None
    for name, text in (("token", "t"), ("ca.crt", "CA"), ("namespace", "team\n")):
        (tmp_path / name).write_text(text)
    target = kubeconfig.in_cluster(environment, tmp_path)
    assert target is not None
    assert (target.server, target.ca, target.namespace) == ("https://10.0.0.1:443", "CA", "team")
    assert target.bearer() == "t"
    assert kubeconfig.in_cluster({}, tmp_path) is None


def test_everything_is_inline(tmp_path: Path) -> None:
    config = kubeconfig.document("x", TARGET, user="me")
    encoded = base64.b64encode(b"KEY").decode()
    assert config["users"] == [
        {"name": "me", "user": {"client-certificate-data": "Q0VSVA==", "client-key-data": encoded}}
    ]
    full = Target(server="https://h", token_file="/t", insecure=True, server_name="n")
    path = tmp_path / "config"
    path.write_text(kubeconfig.dump(kubeconfig.document("x", full)))
    assert kubeconfig.load([path]).target() == full
