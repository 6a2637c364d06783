"""The sources of a kubeplane of an older Kubernetes, derived from those of the newest.

Its modules are Kubernetes' own go.mod's at that release, `go mod tidy` picks the rest. kwok fits
one Kubernetes only and is left out: whoever needs it takes the newest's.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from tests.conformance.kube.cache import go

HERE = Path(__file__).parent
RELEASES = {"1.34": "1.34.4", "1.33": "1.33.13", "1.31": "1.31.13"}
_KCM = (
    "ko.Flags(kcm.KnownControllers(), kcm.ControllersDisabledByDefault(), kcm.ControllerAliases())"
)
_CHANGES = [
    (r'\tcase "kwok":.*?(?=\tcase "all":)', ""),
    (r'\t\S+ "sigs\.k8s\.io/kwok/[^\n]*\n', ""),
    (r"\t\tko := [^\n]*\n", ""),
    (re.escape(_KCM), "kcmFlags"),
    (r"(?=\tao := )", "\tko := get(kcmoptions.NewKubeControllerManagerOptions())\n"
                      f"\tkcmFlags := {_KCM} // first: it changes feature gates' defaults\n"),
]  # fmt: skip
"""What main.go is without kwok, and where all parts share the feature gates of one process."""
_ONLY = {
    "1.33.13": [
        (r"ko\.Config\(ctx, ", "ko.Config("),
        (r"NewKubeletCommand\(context\.Background\(\)\)", "NewKubeletCommand()"),
    ],
    "1.31.13": [
        (r"ko\.Config\(ctx, ", "ko.Config("),
        (r"ao\.Complete\(ctx\)", "ao.Complete()"),
        (r"NewKubeletCommand\(context\.Background\(\)\)", "NewKubeletCommand()"),
    ],
}
"""What it is besides in a release."""
_STAGED = re.compile(r"^\s*(k8s\.io/\S+) => \./staging/", re.MULTILINE)


def texts(release: str) -> dict[str, str]:
    """A main.go that fits, and a build.sh that stamps this release."""
    main = (HERE / "main.go").read_text()
    for old, new in [*_CHANGES, *_ONLY.get(release, ())]:
        main, count = re.subn(old, new, main, flags=re.DOTALL)
        assert count, f"main.go has no {old}"
    build = (HERE / "build.sh").read_text()
    build = re.sub(r"v=v\S+", f"v=v{release}", build)
    build = re.sub(r"gitMinor=\d+", f"gitMinor={release.split('.')[1]}", build)
    return {"main.go": main, "build.sh": build}


def derive(release: str, folder: Path) -> None:
    """Write the sources of a release into a folder."""
    for name, text in texts(release).items():
        (folder / name).write_text(text)
    module = f"k8s.io/kubernetes@v{release}"
    found = json.loads(_go("mod", "download", "-json", module, within=folder))
    staged = _STAGED.findall(Path(found["GoMod"]).read_text())
    parts = f"v0.{release.partition('.')[2]}"
    lines = [
        "module kubeplane", "go 1.26.0", f"require k8s.io/kubernetes v{release}",
        *(f"replace {name} => {name} {parts}" for name in staged),
    ]  # fmt: skip
    (folder / "go.mod").write_text("\n".join(lines) + "\n")
    _go("mod", "tidy", within=folder)


def _go(*words: str, within: Path) -> str:
    done = subprocess.run([go(), *words], cwd=within, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout
