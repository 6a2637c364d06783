"""Kubernetes' own Job (batch/v1): its pods become ranks that do not need each other.

A CronJob, which makes such Jobs, is in `batch_cron`.
"""

from __future__ import annotations

from collections.abc import Iterator

from athanor.api.meta import JSON
from athanor.sdk.foreign import shape
from athanor.sdk.foreign.given import Given

RANK = "worker"
RETRIES = 6
"""A Job's backoffLimit unless it is said."""
INDEX = {"name": "JOB_COMPLETION_INDEX", "value": "$(ATHANOR_RANK)"}
INDEXED = "batch.kubernetes.io/job-completion-index"
"""The label and annotation of an indexed Job's pods."""
SERVERS = (
    "controller-uid", "job-name", "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-name",
)  # fmt: skip
"""Labels of pods that a server wrote about the old object."""
MOST_RULES, MOST_RANKS, MOST_CODES = 8, 256, 64
"""As many as a TrainingJob may say."""


def job(given: Given, kind: str) -> JSON:
    """A Job, with one role of as many ranks as it has completions."""
    spec = given.part("spec")
    ranks, paused = _ranks(spec)
    name = spec.take("template.spec.subdomain")
    renewed(spec)
    policy: JSON = {"backoffLimit": _retries(spec, ranks)}
    for field in ("activeDeadlineSeconds", "ttlSecondsAfterFinished"):
        if (value := spec.number(field)) is not None:
            policy[field] = value
    one = shape.role(spec, RANK, "OnFailure")
    one = {**one, "replicas": ranks, "template": _unlabelled(one["template"])}
    if (codes := _retried(spec, one["template"])) is not None:
        one["restartPolicy"] = "ExitCode"
        policy["retryableExitCodes"] = codes
    if _is_indexed(spec):
        one["template"] = _told(spec, one["template"])
    replacement = spec.take("podReplacementPolicy", "Failed")
    if replacement != "Failed":
        spec.note("podReplacementPolicy", f"{replacement}: a new pod waits until the old has gone")
    for field in ("selector", "manualSelector"):
        spec.needless(field, "a job finds its pods by a label of its own")
    made = shape.job(given, "generic", {
        "roles": [one], "runPolicy": policy, "successRules": _successes(spec),
        "suspend": spec.take("suspend", False) or paused,
    }, suspends="" if paused else "spec.suspend")  # fmt: skip
    if name:
        spec.note("template.spec.subdomain", f"{name}: ranks are called JOB-{RANK}-N.JOB here")
    else:
        made["spec"]["service"] = False
    return made


def renewed(spec: Given) -> None:
    """The pods' own restart policy: a Job tries again under either, by other means."""
    own = spec.take("template.spec.restartPolicy", "Never")
    if own != "Never":
        spec.note("template.spec.restartPolicy", f"{own}: a rank that fails gets a new pod")


def _ranks(spec: Given) -> tuple[int, bool]:
    """How many ranks there are, and whether they wait for somebody to say so."""
    completions, parallelism = spec.number("completions"), spec.number("parallelism")
    at_once = 1 if parallelism is None else parallelism
    ranks = max(at_once, 1) if completions is None else completions
    if at_once == 0:
        spec.note("parallelism", "0: the job is suspended")
    elif completions is None and at_once > 1:
        spec.note("parallelism", f"{at_once}: all ranks have to succeed, not just one of them")
    elif at_once < ranks:
        spec.note("parallelism", f"{at_once}: all {ranks} ranks start together, when all have room")
    return ranks, at_once == 0


def _retries(spec: Given, ranks: int) -> int:
    """One limit for all ranks. A server says a huge backoffLimit where there is one for each."""
    limit, each = spec.number("backoffLimit"), spec.number("backoffLimitPerIndex")
    if each is None:
        return RETRIES if limit is None else limit
    total = each * ranks if limit is None else min(limit, each * ranks)
    said = f"{each}: retries are counted for all ranks, backoffLimit is {total}; then the job ends"
    spec.note("backoffLimitPerIndex", said)
    return total


def _is_indexed(spec: Given) -> bool:
    mode = spec.take("completionMode", "NonIndexed")
    if mode not in ("Indexed", "NonIndexed"):
        spec.note("completionMode", f"{mode} is not known")
    return bool(mode == "Indexed")


def _told(spec: Given, template: JSON) -> JSON:
    """A template whose containers know their index."""
    template = shape.each_container(template, _container)
    if INDEXED in str(template):
        spec.note("template", f"pods have no {INDEXED}; their containers have {INDEX['name']}")
    return template


def _container(given: JSON) -> JSON:
    told = shape.with_env(given, [INDEX])
    if told is given:
        return given
    own = [
        {"name": one.get("name"), "value": INDEX["value"]}
        if isinstance(one, dict) and INDEXED in str(one.get("valueFrom")) else one
        for one in told["env"]
    ]  # fmt: skip
    return {**told, "env": own}


def _unlabelled(template: JSON) -> JSON:
    """A template without the labels by which the old object found its pods."""
    meta = template.get("metadata")
    found = meta.get("labels") if isinstance(meta, dict) else None
    if not isinstance(meta, dict) or not isinstance(found, dict):
        return template
    kept = {key: value for key, value in found.items() if key not in SERVERS}
    return {**template, "metadata": {**meta, "labels": kept}}


def _rules(spec: Given, path: str) -> Iterator[tuple[str, JSON, Given]]:
    """Rules that are looked at before it is known whether they are taken: path, rule, reading."""
    for number, rule in enumerate(spec.take(path, [])):
        where = f"{path}[{number}]"
        yield where, rule or {}, spec.inner(rule, where)


def _retried(spec: Given, template: JSON) -> list[int] | None:
    """The exit codes that are worth a new try, when a rule says that all others end the job."""
    found = None
    names = [one.get("name") for one in template["spec"].get("containers") or []]
    for where, rule, inner in _rules(spec, "podFailurePolicy.rules"):
        codes = _but(rule, names)
        if codes is not None and found is None:
            found = codes
            spec.note(where, "codes that tell of something passing are retried, too (75, 137, …)")
        elif _is_disruption(rule):
            spec.note(where, "not needed: a fault of the platform costs no retry")
        else:
            continue
        for field in rule:
            inner.take(field)
    return found


def _but(rule: JSON, names: list[object]) -> list[int] | None:
    """The codes of a rule that ends the job on all others; None for any other rule."""
    exits = rule.get("onExitCodes")
    if not isinstance(exits, dict) or exits.get("operator") != "NotIn":
        return None
    codes, container = exits.get("values"), exits.get("containerName")
    if rule.get("action") != "FailJob" or container is not None and names != [container]:
        return None
    if not isinstance(codes, list) or len(codes) > MOST_CODES:
        return None
    return codes if all(type(code) is int and 1 <= code <= 255 for code in codes) else None


def _is_disruption(rule: JSON) -> bool:
    conditions = rule.get("onPodConditions")
    return rule.get("action") == "Ignore" and isinstance(conditions, list) and all(
        isinstance(one, dict) and one.get("type") == "DisruptionTarget" for one in conditions
    ) and not rule.get("onExitCodes")  # fmt: skip


def _successes(spec: Given) -> list[JSON]:
    """The rules whose indexes all have to succeed; a number of them is no rule here."""
    made: list[JSON] = []
    for where, rule, inner in _rules(spec, "successPolicy.rules"):
        if set(rule) != {"succeededIndexes"}:
            continue
        ranges = _indexes(rule["succeededIndexes"], spec.at(f"{where}.succeededIndexes"))
        if len(made) < MOST_RULES and sum(map(len, ranges)) <= MOST_RANKS:
            inner.take("succeededIndexes")
            made.append({"ranks": {RANK: [rank for some in ranges for rank in some]}})
    return made


def _indexes(text: object, where: str) -> list[range]:
    """`0,2-4` as ranges. Raises ValueError."""
    found = []
    for part in str(text).split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or not (last if dash else first).isdecimal():
            raise ValueError(f"{where}: {text!r:.40} is not a list of indexes, such as 0,2-4")
        found.append(range(int(first), int(last or first) + 1))
    return found
