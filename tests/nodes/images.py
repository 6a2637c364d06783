"""The images that nodes in tests get: Athanor's own, and the one that holds a pod's namespaces.

Of Athanor's the layer that changes seldom is kept in the cache; the other is made each time.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.conformance.kube.cache import NotAvailable, built, cache_dir
from tools import debian, image

ATHANOR = "localhost/athanor:test"
PAUSE = "localhost/pause:test"


def base() -> Path:
    """The layer of Debian, Python and requirements. Raises NotAvailable."""
    sources = (
        Path(image.__file__), Path(debian.__file__), image.CONTAINERFILE, image.REQUIREMENTS,
    )  # fmt: skip
    key = hashlib.sha256(b"".join(each.read_bytes() for each in sources)).hexdigest()[:16]
    path = cache_dir() / f"image-base-{key}.tar"
    return built(path, "`make acceptance-kube` makes it (a minute)", _make)


def _make(folder: Path) -> int:
    try:
        image.base(folder / "base.tar")
    except debian.Missing as why:
        raise NotAvailable(str(why)) from why
    return 0


def layers(folder: Path) -> tuple[Path, Path]:
    """Both layers; Athanor's own is made in this folder. Raises NotAvailable."""
    made = base(), folder / "program.tar"
    image.program(made[1])
    return made


def archive(folder: Path) -> Path:
    """Both images, as an OCI archive in this folder. Raises NotAvailable."""
    pause = {"User": "65532:65532", "Entrypoint": ["/usr/bin/sleep", "infinity"]}
    out = folder / "images.tar"
    image.archive(out, layers(folder), {ATHANOR: image.config(), PAUSE: pause})
    return out
