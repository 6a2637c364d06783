"""Requirements: by the node on a machine, by a container of the pod on a cluster or from wheels."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from athanor.api import labels
from athanor.api.meta import JSON
from athanor.features.training.build import Defaults, gang
from tests.unit.features.training.test_code import CLUSTER, DIGEST, LAPTOP, env_of, job
from tests.wheels import wheel


def template(defaults: Defaults, container: JSON | None = None, **spec: object) -> JSON:
    asked = job({"image": "python:3.12", **(container or {})}, **spec)
    found: JSON = gang(asked, defaults)["spec"]["podSets"][0]["template"]
    return found


def test_a_machine_of_ours_does_it_itself_and_keeps_it() -> None:
    found = template(LAPTOP, environment={"requirements": ["numpy"]})
    assert found["metadata"]["annotations"][labels.REQUIREMENTS] == "numpy"
    assert [one["name"] for one in found["spec"]["initContainers"]] == ["own"]


def test_on_a_cluster_the_jobs_own_image_installs_them_before_the_rest() -> None:
    own: JSON = {
        "env": [
            {"name": "PIP_INDEX_URL", "value": "https://a"},
            {"name": "PYTHONPATH", "value": "/x"},
        ],
        "securityContext": {"runAsUser": 7},
        "resources": {"requests": {"cpu": "2", "memory": "1Gi"}, "limits": {"nvidia.com/gpu": "1"}},
    }
    found = template(
        CLUSTER, own, code={"bundle": DIGEST},
        environment={"requirements": ["numpy", "scipy<2"], "wheels": "w"},
    )  # fmt: skip
    assert labels.REQUIREMENTS not in (found["metadata"].get("annotations") or {})
    fetch, install, _ = found["spec"]["initContainers"]
    assert (fetch["name"], install["name"]) == ("athanor-code", "athanor-packages")
    assert (install["image"], install["workingDir"]) == ("python:3.12", "/athanor/code")
    assert install["securityContext"] == {"runAsUser": 7}
    assert install["resources"] == {"requests": {"cpu": "2", "memory": "1Gi"}, "limits": {}}
    told = env_of(install)
    assert told["PIP_INDEX_URL"] == "https://a" and told["ATHANOR_WHEELS"] == "/athanor/code/w"
    assert told["ATHANOR_REQUIREMENTS"] == "numpy\nscipy<2"
    (main,) = found["spec"]["containers"]
    assert {m["mountPath"] for m in main["volumeMounts"]} == {"/athanor/code", "/athanor/packages"}
    # a reference is to what stands before it: the container's own, or the image's on our nodes
    assert [e["value"] for e in main["env"] if e["name"] == "PYTHONPATH"] == [
        "/x", "/athanor/packages:$(PYTHONPATH)",
    ]  # fmt: skip


def test_what_came_along_is_installed_here_too_without_an_index() -> None:
    asked: JSON = {"requirements": ["numpy"], "wheels": "w"}
    found = template(LAPTOP, code={"directory": "/src"}, environment=asked)
    install = found["spec"]["initContainers"][0]
    assert env_of(install)["ATHANOR_WHEELS"] == "/src/w"
    assert labels.REQUIREMENTS not in (found["metadata"].get("annotations") or {})


def ran(folder: Path, requirement: str, wheels: str, path: str = "") -> tuple[int, str]:
    """What the container does, on this machine and with its Python."""
    install = template(CLUSTER, environment={"requirements": [requirement]})
    command = install["spec"]["initContainers"][0]["command"]
    env = {
        "PATH": path or f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}",
        "ATHANOR_PACKAGES": str(folder), "ATHANOR_WHEELS": wheels,
        "ATHANOR_REQUIREMENTS": requirement, "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "UV_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "UV_HTTP_RETRIES": "0",
    }  # fmt: skip
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stderr


def test_the_container_installs_from_wheels_and_says_what_it_misses(tmp_path: Path) -> None:
    wheel(tmp_path / "wheels", "hammer", "1.2", "WORD = 'forged'")
    target, wheels = tmp_path / "packages", str(tmp_path / "wheels")
    assert ran(target, "hammer>=1", wheels) == (0, "")
    said = subprocess.run(
        [sys.executable, "-c", "import hammer; print(hammer.WORD)"],
        env={"PYTHONPATH": str(target)}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert said.stdout == "forged\n"
    assert not [path.name for path in target.iterdir() if path.name.startswith(".m")]

    code, why = ran(tmp_path / "a", "anvil", wheels)
    assert code == 1 and why.startswith("requirements: ") and "anvil" in why
    assert f"wheels come from {wheels} alone" in why
    code, why = ran(tmp_path / "b", "anvil", "")
    assert code == 1 and "anvil" in why and "--wheels DIR" in why
    assert ran(tmp_path / "c", "hammer", "/nowhere") == (
        1, "requirements: there is no folder of wheels /nowhere\n"
    )  # fmt: skip


def test_an_image_without_pip_or_python_is_told_so(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("mkdir", "rm", "tail", "tr"):
        (tools / name).symlink_to(
            f"/bin/{name}" if os.path.exists(f"/bin/{name}") else f"/usr/bin/{name}"
        )
    (tools / "sh").symlink_to("/bin/sh")
    code, why = ran(tmp_path / "a", "hammer", "", str(tools))
    assert (code, why) == (1, "requirements: there is no Python in this image\n")
    (tools / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tools / "python3").chmod(0o755)
    code, why = ran(tmp_path / "b", "hammer", "", str(tools))
    assert code == 1 and "there is no pip in this image" in why
