"""Keys and certificates: made once, renewed in time, readable by their owner only."""

from __future__ import annotations

import ssl
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from athanor.local.pki import Pki
from athanor.local.validity import LIFE

NOW = 1_790_000_000.0


def test_everything_is_made_once_and_private(tmp_path: Path) -> None:
    first = Pki(tmp_path / "pki", NOW)
    server = first.server(["192.0.2.7"])
    admin = first.client("admin", ["system:masters"])
    key = first.signing_key()
    before = server.certificate.read_bytes(), admin.certificate.read_bytes()

    again = Pki(tmp_path / "pki", NOW + 60)
    assert again.server(["192.0.2.7"]).certificate.read_bytes() == before[0]
    assert again.client("admin", ["system:masters"]).certificate.read_bytes() == before[1]
    assert again.signing_key() == key and len(key) == 32
    assert stat.S_IMODE((tmp_path / "pki").stat().st_mode) == 0o700
    for file in (tmp_path / "pki").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_certificates_say_who_and_where(tmp_path: Path) -> None:
    pki = Pki(tmp_path, NOW)
    server = _decoded(pki.server(["192.0.2.7", "box.example"]).certificate)
    names = set(server["subjectAltName"])
    assert ("DNS", "kubernetes.default.svc") in names and ("DNS", "box.example") in names
    assert ("IP Address", "127.0.0.1") in names and ("IP Address", "192.0.2.7") in names
    client = _decoded(pki.client("system:node:a", ["system:nodes"]).certificate)
    assert (("organizationName", "system:nodes"),) in client["subject"]
    assert (("commonName", "system:node:a"),) in client["subject"]


def test_a_certificate_is_renewed_before_it_expires_and_for_a_new_address(tmp_path: Path) -> None:
    pki = Pki(tmp_path, NOW)
    old = pki.server().certificate.read_bytes()
    wider = pki.server(["192.0.2.7"]).certificate.read_bytes()
    assert wider != old
    assert Pki(tmp_path, NOW + LIFE - 86400).server(["192.0.2.7"]).certificate.read_bytes() != wider


def test_two_starts_at_once_share_one_authority(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        authorities = list(
            pool.map(lambda _: Pki(tmp_path, NOW).server().authority.read_bytes(), range(8))
        )
    assert len(set(authorities)) == 1


def test_a_new_authority_reissues_what_the_old_one_signed(tmp_path: Path) -> None:
    pki = Pki(tmp_path, NOW)
    before = pki.client("admin").certificate.read_bytes()
    (tmp_path / "ca.json").unlink()
    assert Pki(tmp_path, NOW).client("admin").certificate.read_bytes() != before


def test_both_sides_accept_each_other(tmp_path: Path) -> None:
    pki = Pki(tmp_path, NOW)
    server, client = pki.server(), pki.client("admin")
    there = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    there.load_cert_chain(server.certificate, server.key)
    there.load_verify_locations(server.authority)
    there.verify_mode = ssl.CERT_REQUIRED
    here = ssl.create_default_context(cafile=str(client.authority))
    here.load_cert_chain(client.certificate, client.key)
    assert there.cert_store_stats()["x509_ca"] == 1


def test_a_kubeconfig_holds_all_that_is_needed(tmp_path: Path) -> None:
    text = Pki(tmp_path, NOW).kubeconfig("ada", ["team-a"], "https://127.0.0.1:6443", "ada")
    config = yaml.safe_load(text)
    assert config["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:6443"
    assert config["contexts"][0]["context"]["namespace"] == "ada"
    assert set(config["users"][0]["user"]) == {"client-certificate-data", "client-key-data"}


def test_a_start_that_makes_nothing_loads_no_cryptography(tmp_path: Path) -> None:
    Pki(tmp_path, NOW).server()
    script = (
        "import sys, pathlib; from athanor.local.pki import Pki;"
        f"Pki(pathlib.Path({str(tmp_path)!r}), {NOW}).server();"
        "sys.exit('cryptography' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def _decoded(path: Path) -> dict[str, Any]:
    decoded: dict[str, Any] = ssl._ssl._test_decode_cert(str(path))  # type: ignore[attr-defined]
    return decoded
