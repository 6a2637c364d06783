"""Athanor's container image without a container engine: `python -m tools.image OUT.tar`.

It is what deploy/Containerfile describes, of Debian's packages and the locked requirements, and an
OCI archive: for `podman load -i`, `skopeo copy oci-archive:…`, `ctr images import`. The same
sources and packages give the same digest: entries are sorted, times and owners are fixed.
"""

from __future__ import annotations

import configparser
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tools import debian

ROOT = Path(__file__).parent.parent
CONTAINERFILE = ROOT / "deploy" / "Containerfile"
REQUIREMENTS = ROOT / "requirements" / "core.txt"
SUITE = "trixie"
"""The Debian that the Containerfile's base image is made of."""
BESIDE = ("base-files", "ca-certificates", "coreutils", "dash", "libstdc++6")
"""Packages that are in that base image, too, and needed: the last by numpy."""
HOME = "opt/athanor"
UNUSED = re.compile(
    r"(perl|libperl|liberror-perl|git-man|debconf|debianutils|mawk|readline-common)"
)
"""Packages that git and certificates need for scripts only, of which none is run here."""
LEFT_OUT = re.compile(
    r"usr/share/(doc/.*/(?!copyright$)|(man|info|locale|lintian|bug|menu|pixmaps|gitweb)/)"
)
USERS = "root:x:0:0:root:/root:/usr/sbin/nologin\nathanor:x:{0}:{0}::/tmp:/usr/sbin/nologin\n"
GROUPS = "root:x:0:\nathanor:x:{0}:\n"
START = """#!/{home}/bin/python
import sys

from {module} import {name}

sys.exit({name}())
"""


class Recipe(NamedTuple):
    """What the Containerfile says: the Python, packages beside it, and how containers start."""

    python: str
    packages: tuple[str, ...]
    user: str
    env: tuple[str, ...]
    entrypoint: tuple[str, ...]


def recipe() -> Recipe:
    """The Containerfile, read."""
    text = CONTAINERFILE.read_text()

    def said(pattern: str) -> str:
        found = re.search(pattern, text, re.MULTILINE)
        assert found, f"{CONTAINERFILE.name} does not say {pattern}"
        return found[1]

    path = "PATH=/opt/athanor/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    env = [pair for line in re.findall(r"^ENV (.*)$", text, re.MULTILINE) for pair in line.split()]
    return Recipe(
        python=said(r"^FROM \S*python:(3\.\d+)-slim"),
        packages=tuple(said(r"apt-get install -y --no-install-recommends ([a-z ]+)").split()),
        user=said(r"^USER (\S+)$"),
        env=tuple(path if pair.startswith("PATH=") else pair for pair in env),
        entrypoint=tuple(json.loads(said(r"^ENTRYPOINT (.*)$"))),
    )


def base(out: Path) -> None:
    """Writes the layer of all that changes seldom: Debian, Python, the locked requirements.

    Raises debian.Missing.
    """
    wanted = recipe()
    python = f"python{wanted.python}"
    with tempfile.TemporaryDirectory(prefix="image-") as scratch:
        root = Path(scratch)
        names = (*BESIDE, python, *wanted.packages)
        debian.unpack(SUITE, names, root, needed=True, without=UNUSED)
        (root / "usr/bin/sh").unlink(missing_ok=True)
        (root / "usr/bin/sh").symlink_to("dash")
        number = wanted.user.partition(":")[0]
        (root / "etc/passwd").write_text(USERS.format(number))
        (root / "etc/group").write_text(GROUPS.format(number))
        trusted = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
        (root / "etc/ssl/certs").mkdir(parents=True, exist_ok=True)
        bundle = b"".join(each.read_bytes() for each in trusted)
        (root / "etc/ssl/certs/ca-certificates.crt").write_bytes(bundle)
        home = root / HOME
        (home / "bin").mkdir(parents=True)
        for name in ("python", "python3"):
            (home / "bin" / name).symlink_to(f"/usr/bin/{python}")
        (home / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion = {wanted.python}\n")
        _packages(home, "--require-hashes", "-r", str(REQUIREMENTS))
        _layer(root, out)


def program(out: Path) -> None:
    """Writes the layer of Athanor itself."""
    with tempfile.TemporaryDirectory(prefix="image-") as scratch:
        root = Path(scratch) / "root"
        (root / HOME / "bin").mkdir(parents=True)
        made = Path(scratch) / "wheel"
        subprocess.run([_uv(), "build", "--quiet", "--wheel", "-o", made, ROOT], check=True)
        (wheel,) = made.glob("*.whl")
        _packages(root / HOME, str(wheel))
        _layer(root, out)


def _packages(home: Path, *what: str) -> None:
    """Python packages for the image's Python, and the commands of Athanor among them."""
    python = recipe().python
    site = home / "lib" / f"python{python}" / "site-packages"
    subprocess.run(
        [_uv(), "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:",
         "--link-mode", "copy", "--python-version", python, "--target", site, *what],
        check=True,
    )  # fmt: skip
    shutil.rmtree(site / "bin", ignore_errors=True)  # they start this machine's Python
    for told in ("RECORD", "REQUESTED", "INSTALLER", "direct_url.json", "uv_cache.json"):
        for each in site.glob(f"*.dist-info/{told}"):
            each.unlink()
    (site / ".lock").unlink(missing_ok=True)
    for each in site.glob("athanor-*.dist-info/entry_points.txt"):
        entries = configparser.ConfigParser()
        entries.read(each)
        for command, target in entries["console_scripts"].items():
            module, _, name = target.partition(":")
            script = home / "bin" / command
            script.write_text(START.format(home=HOME, module=module, name=name))
            script.chmod(0o755)


def _uv() -> str:
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise debian.Missing("no uv: `make dev` sets it up")
    return found


def _layer(root: Path, out: Path) -> None:
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(root.rglob("*")):
            name = str(path.relative_to(root))
            if LEFT_OUT.match(name) and not path.is_dir():
                continue
            entry = tar.gettarinfo(path, name)
            entry.uid = entry.gid = entry.mtime = 0
            entry.uname = entry.gname = ""
            if not entry.isreg():
                tar.addfile(entry)
                continue
            with path.open("rb") as content:
                tar.addfile(entry, content)


def archive(out: Path, layers: Sequence[Path], images: Mapping[str, dict[str, Any]]) -> list[str]:
    """Writes an OCI archive of images that share these layers; answers with their digests.

    `images`: by name, the `config` of each (OCI image specification: "Image Configuration").
    """
    blobs: dict[str, Path | bytes] = {}

    def kept(content: Path | bytes, kind: str) -> dict[str, Any]:
        if isinstance(content, bytes):
            sum_, size = hashlib.sha256(content), len(content)
        else:
            with content.open("rb") as file:
                sum_, size = hashlib.file_digest(file, "sha256"), content.stat().st_size
        blobs[sum_.hexdigest()] = content
        media = f"application/vnd.oci.image.{kind}"
        return {"mediaType": media, "digest": f"sha256:{sum_.hexdigest()}", "size": size}

    stored = [kept(layer, "layer.v1.tar") for layer in layers]
    rootfs = {"type": "layers", "diff_ids": [layer["digest"] for layer in stored]}
    manifests = []
    for name, config in images.items():
        described = {
            "architecture": architecture(), "os": "linux", "config": config, "rootfs": rootfs,
        }  # fmt: skip
        manifest = {
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": kept(_json(described), "config.v1+json"), "layers": stored,
        }  # fmt: skip
        called = {
            "io.containerd.image.name": name,
            "org.opencontainers.image.ref.name": name.rpartition(":")[2],
        }
        manifests.append({**kept(_json(manifest), "manifest.v1+json"), "annotations": called})
    index = {
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests,
    }  # fmt: skip
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add(tar, "index.json", _json(index))
        for digest, content in sorted(blobs.items()):
            _add(tar, f"blobs/sha256/{digest}", content)
    return [each["digest"] for each in manifests]


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _add(tar: tarfile.TarFile, name: str, content: Path | bytes) -> None:
    entry = tarfile.TarInfo(name)
    if isinstance(content, bytes):
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
        return
    entry.size = content.stat().st_size
    with content.open("rb") as file:
        tar.addfile(entry, file)


def architecture() -> str:
    """This machine's, as Debian and OCI both call it."""
    asked = ["dpkg", "--print-architecture"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def config() -> dict[str, Any]:
    """How containers of Athanor's image start."""
    wanted = recipe()
    return {
        "User": wanted.user, "Env": list(wanted.env), "Entrypoint": list(wanted.entrypoint),
        "WorkingDir": "/",
    }  # fmt: skip


def version() -> str:
    """Athanor's."""
    text = (ROOT / "pyproject.toml").read_text()
    found = re.search(r'^version = "(.*)"$', text, re.MULTILINE)
    assert found
    return found[1]


def write(out: Path) -> str:
    """Writes the archive; answers with the image's name and digest. Raises debian.Missing."""
    out.parent.mkdir(parents=True, exist_ok=True)
    name = f"localhost/athanor:{version()}"
    with tempfile.TemporaryDirectory(prefix="layers-") as scratch:
        layers = Path(scratch) / "base.tar", Path(scratch) / "program.tar"
        base(layers[0])
        program(layers[1])
        (digest,) = archive(out, layers, {name: config()})
    return f"{name}@{digest}"


if __name__ == "__main__":
    try:
        print(write(Path(sys.argv[1])))
    except debian.Missing as why:
        print(f"NOT RUN: {why}", file=sys.stderr)
        raise SystemExit(3) from None
