"""Volcano's plugins: which framework they stand for, and the variables that they set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from athanor.api.meta import JSON
from athanor.sdk.foreign.given import Given

ROLES: Mapping[str, Mapping[str, str]] = {
    "pytorch": {"master": "master", "worker": "worker"},
    "tensorflow": {"chief": "chief", "worker": "worker", "ps": "ps", "evaluator": "evaluator"},
    "mpi": {"master": "launcher", "worker": "worker"},
}
"""Framework and plugin → its flags that name tasks, which have that name unless said → our role."""
INDEXES = ("VK_TASK_INDEX", "VC_TASK_INDEX")
HOSTS = "MPI_HOST"
SSH = (
    "no ssh between ranks: say plugin mpi (--master, --worker), whose launcher starts processes "
    "without; for a shell `athanor exec`"
)
FOUND = "ranks find each other by name, on ports of the platform's choice"


class Plugins(Struct, frozen=True):
    """`roles`: task → our role. `named`: whether pods have names for each other; `files`: whether
    they find them in files, `hosts`: in variables.
    """

    framework: str = "generic"
    roles: Mapping[str, str] = {}
    named: bool = False
    files: bool = False
    hosts: bool = False
    indexes: bool = False


def read(spec: Given) -> Plugins:
    """The plugins of a job. Raises ValueError."""
    given: JSON = spec.take("plugins", {})
    framework = next((name for name in ROLES if name in given), "generic")
    roles: dict[str, str] = {}
    for name, args in given.items():
        flags, where = _flags(args, spec.at(f"plugins.{name}")), f"plugins.{name}"
        if name == framework:
            roles = {flags.pop(flag, flag): role for flag, role in ROLES[name].items()}
        elif name == "ssh":
            spec.note(where, SSH)
        elif name not in ("svc", "env"):
            spec.note(where, f"{' '.join(map(str, args or []))}: left out".lstrip(": "))
        if flags and name in (framework, "svc", "env"):
            shown = " ".join(f"--{flag}={value}" for flag, value in flags.items())
            spec.note(where, f"{shown}: not needed, {FOUND}")
    return Plugins(
        framework=framework, roles=roles, indexes="env" in given,
        named="svc" in given or framework != "generic", files="svc" in given,
        hosts="svc" in given and _flags(given["svc"], "").get("inject-hosts-env") != "false",
    )  # fmt: skip


def _flags(args: object, where: str) -> dict[str, str]:
    """`--worker=w` and `--worker w`. Raises ValueError."""
    if not isinstance(args, list | None):
        raise ValueError(f"{where}: {args!r:.40} is not a list")
    flags: dict[str, str] = {}
    flag = ""
    for word in map(str, args or []):
        if word.startswith("-"):
            flag, _, value = word.lstrip("-").partition("=")
            flags[flag] = value
        elif flag:
            flags[flag] = word
    return flags


def hosts(role: str, count: int) -> str:
    """The names of a role's ranks, as variables of a pod may say them."""
    return ",".join(f"$(ATHANOR_JOB)-{role}-{rank}.$(ATHANOR_JOB)" for rank in range(count))


def variables(plugins: Plugins, role: str, tasks: Sequence[tuple[str, str, int]]) -> list[JSON]:
    """What the plugins tell the pods of a role; `tasks` are all of them: name, role, pods."""
    told = dict.fromkeys(INDEXES if plugins.indexes else (), "$(ATHANOR_RANK)")
    for name, its, count in tasks:
        all_ = hosts(its, count)
        if plugins.hosts:
            key = name.replace("-", "_").upper()
            told |= {f"VC_{key}_HOSTS": all_, f"VC_{key}_NUM": str(count)}
        if plugins.framework == "mpi" and (role, its) == ("launcher", "worker"):
            told[HOSTS] = all_
    return [{"name": name, "value": value} for name, value in told.items()]
