"""What stands around a job's own command: its code, its outputs, a TensorBoard."""

from __future__ import annotations

import msgspec

from athanor.api.meta import JSON
from athanor.api.training import TrainingJob
from athanor.features.training.around import board
from athanor.features.training.build import Defaults, claim, gang

DIGEST = "sha256:" + "ab" * 32


LAPTOP, CLUSTER = Defaults(checkpoint_root="/data/checkpoints"), Defaults(image="ours")


def job(container: JSON | None = None, **spec: object) -> TrainingJob:
    box = {"name": "main", "image": "venv:///env", **(container or {})}
    template = {"spec": {"containers": [box], "initContainers": [{"name": "own"}]}}
    made = {
        "metadata": {"name": "t", "namespace": "default", "uid": "12345678-0"},
        "spec": {**spec, "roles": [{"name": "worker", "template": template}]},
    }
    return msgspec.convert(made, TrainingJob)


def pod_of(asked: TrainingJob, defaults: Defaults = CLUSTER) -> JSON:
    spec: JSON = gang(asked, defaults)["spec"]["podSets"][0]["template"]["spec"]
    return spec


def spec_of(code: JSON, **container: object) -> JSON:
    return pod_of(job(container, code=code))


def env_of(container: JSON) -> dict[str, str]:
    return {one["name"]: one.get("value", "") for one in container["env"]}


def test_uploaded_code_is_fetched_first_with_an_account_of_its_own() -> None:
    spec = spec_of({"bundle": DIGEST})
    fetch, own = spec["initContainers"]
    assert (fetch["image"], fetch["command"][-1]) == ("ours", "athanor_progress.fetch")
    told = env_of(fetch)
    assert told["ATHANOR_CODE_BUNDLE"] == DIGEST and "ATHANOR_CODE_GIT" not in told
    (main,) = spec["containers"]
    assert main["workingDir"] == own["workingDir"] == "/athanor/code"
    # the token is for fetching alone
    assert [mount["name"] for mount in main["volumeMounts"]] == ["athanor-code"]
    assert {volume["name"] for volume in spec["volumes"]} == {"athanor-code", "athanor-account"}


def test_git_is_cloned_with_the_jobs_own_secrets_and_mounts() -> None:
    mirror = {"name": "data-0", "mountPath": "/mirror"}
    login = [{"secretRef": {"name": "login"}}]
    spec = spec_of(
        {"git": "https://git.example/a.git", "ref": "v1"}, volumeMounts=[mirror], envFrom=login,
        workingDir="/elsewhere",
    )  # fmt: skip
    fetch = spec["initContainers"][0]
    assert env_of(fetch)["ATHANOR_CODE_REF"] == "v1"
    assert mirror in fetch["volumeMounts"] and fetch["envFrom"] == login
    assert spec["containers"][0]["workingDir"] == "/elsewhere"


def test_a_folder_of_the_machine_is_not_fetched() -> None:
    spec = spec_of({"directory": "/home/ann/digits"})
    assert [one["name"] for one in spec["initContainers"]] == ["own"]
    assert spec["containers"][0]["workingDir"] == "/home/ann/digits"


def test_outputs_lie_on_the_machine_or_in_a_claim() -> None:
    here = pod_of(job(outputs="/home/ann/out"), LAPTOP)
    assert {v["name"]: v for v in here["volumes"]}["athanor-outputs"]["hostPath"]["path"]
    assert claim(job(outputs="/home/ann/out"), LAPTOP) is None
    there = job(outputs="/out")
    assert claim(there, CLUSTER) is not None
    saved, mount = pod_of(there)["containers"][0]["volumeMounts"]
    assert (mount["mountPath"], mount["subPath"]) == ("/out", "outputs")
    assert env_of(pod_of(there)["containers"][0])["ATHANOR_CHECKPOINT_DIR"] == saved["mountPath"]
    none = pod_of(job(outputs="/out", checkpoints={"enabled": False}))
    assert [mount["mountPath"] for mount in none["containers"][0]["volumeMounts"]] == ["/out"]


def test_a_tensorboard_reads_what_the_job_writes() -> None:
    def of(defaults: Defaults, **spec: object) -> JSON | None:
        made = board(job(tensorboard=spec.pop("tensorboard", {}), **spec), defaults)
        return made and made["spec"]

    assert board(job(outputs="/out"), LAPTOP) is None
    here = of(LAPTOP, outputs="/home/ann/out")
    assert here is not None and here["mounts"] == ["/home/ann/out"]
    assert here["image"] == "venv:///env" and "/home/ann/out" in here["command"]
    saved = of(LAPTOP)
    assert saved is not None and saved["mounts"] == ["/data/checkpoints/default/t-12345678"]
    there = of(CLUSTER, outputs="/out", tensorboard={"image": "tb:1"})
    assert there is not None
    assert (there["mounts"], there["image"]) == (["t-checkpoints/outputs:/out"], "tb:1")
    data = {"mountPath": "/data", "name": "d", "subPath": "team"}
    mounted = job({"volumeMounts": [data]}, tensorboard={"logDir": "/data/runs/7"})
    pod = mounted.spec.roles[0].template["spec"]
    pod["volumes"] = [{"name": "d", "persistentVolumeClaim": {"claimName": "big"}}]
    shared = board(mounted, CLUSTER)
    assert shared is not None and shared["spec"]["mounts"] == ["big/team/runs/7:/data/runs/7"]
    assert of(CLUSTER) is None  # it writes nothing that outlives it
