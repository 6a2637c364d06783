"""What a TrainingJob must keep to, between fields and over time, as CEL: refused at creation.

Each rule has the field it is about, what is wrong, and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from athanor.api import training
from athanor.api.meta import JSON

_FINISHED = "oldSelf.status.phase in ['Succeeded', 'Failed']"
_HAD_PHASE = "has(oldSelf.status) && has(oldSelf.status.phase)"


def _rule(rule: str, message: str, path: str = "") -> JSON:
    said: JSON = {"rule": rule, "message": message}
    return {**said, "fieldPath": path} if path else said


def _needs(frameworks: str, role: str, what: str) -> JSON:
    return _rule(
        f"!(self.framework in [{frameworks}]) || "
        f"self.roles.exists(r, r.name == '{role}' && r.replicas == 1)",
        f"framework {frameworks.replace(chr(39), '').replace(', ', ' or ')} needs a role {role} "
        f"with one replica: {what}",
        ".roles",
    )


def _once(field: str, message: str) -> JSON:
    """A rule over a change of a job that has ended."""
    return _rule(
        f"!({_HAD_PHASE} && {_FINISHED}) || (has(self.spec.{field}) == has(oldSelf.spec.{field}) "
        f"&& (!has(self.spec.{field}) || self.spec.{field} == oldSelf.spec.{field}))",
        message,
        f".spec.{field}",
    )


_MINE = "the job has finished: clone it to run it again (athanor clone)"

_SPEC: list[JSON] = [
    _rule(
        "!has(self.elastic) || self.roles.exists(r, r.name == self.elastic.role)",
        "elastic.role must name one of the roles",
        ".elastic",
    ),
    _rule(
        "self.framework == oldSelf.framework",
        "a job keeps its framework: make a new one",
        ".framework",
    ),
    _rule(
        "self.roles.exists(r, r.replicas > 0)",
        "there must be at least one replica in some role",
        ".roles",
    ),
    _rule(
        "self.roles.map(r, r.replicas).sum() <= 20000",
        "a job has at most 20000 ranks: split it",
        ".roles",
    ),
    _rule(
        "!has(self.elastic) || !(self.framework in ['mpi', 'horovod', 'xgboost', 'lightgbm', "
        "'tensorflow', 'deepspeed'])",
        "ranks of this framework cannot come and go: leave elastic out, or use pytorch, jax, ray, "
        "spark, flink or generic",
        ".elastic",
    ),
    _rule(
        "!has(self.service) || self.service || self.framework == 'generic'",
        "ranks of this framework find each other by name: leave service out",
        ".service",
    ),
    _rule(
        "!has(self.elastic) || !(self.elastic.role in ['head', 'driver', 'jobmanager'])",
        "there is always one of this role: name the role of the workers",
        ".elastic",
    ),
    _rule(
        "self.framework != 'tensorflow' || self.roles.all(r, r.name in ['chief', 'master', "
        "'worker', 'ps', 'evaluator'])",
        "roles of tensorflow are chief (or master), worker, ps and evaluator",
        ".roles",
    ),
    _rule(
        "self.framework != 'tensorflow' || self.roles.all(r, !(r.name in ['chief', 'master', "
        "'evaluator']) || r.replicas <= 1)",
        "there is at most one chief and one evaluator",
        ".roles",
    ),
    _rule(
        "self.framework != 'tensorflow' || !self.roles.exists(r, r.name == 'chief') || "
        "!self.roles.exists(r, r.name == 'master')",
        "chief and master are the same role: keep one of them",
        ".roles",
    ),
    _rule(
        "self.framework != 'pytorch' || self.roles.all(r, r.name != 'master' || r.replicas <= 1)",
        "there is at most one master",
        ".roles",
    ),
    _needs("'mpi', 'horovod'", "launcher", "it runs the command"),
    _rule(
        "!(self.framework in ['mpi', 'horovod', 'deepspeed']) || "
        "self.roles.exists(r, r.name != 'launcher' && r.replicas > 0)",
        "there must be a role worker, whose ranks the processes are started in",
        ".roles",
    ),
    _needs("'ray'", "head", "it runs the command"),
    _needs("'spark'", "driver", "it runs the command"),
    _needs("'flink'", "jobmanager", "it runs the command"),
    _rule(
        "!has(self.successRules) || self.successRules.all(s, has(s.ranks) && s.ranks.all(n, "
        "self.roles.exists(r, r.name == n && s.ranks[n].all(i, i < r.replicas))))",
        "a success rule names roles of the job and ranks that they have, from 0 on",
        ".successRules",
    ),
    _rule(
        "!has(self.failureRules) || self.failureRules.all(s, has(s.ranks) && s.ranks.all(n, "
        "self.roles.exists(r, r.name == n && s.ranks[n].all(i, i < r.replicas))))",
        "a failure rule names roles of the job and ranks that they have, from 0 on",
        ".failureRules",
    ),
    _rule(
        "!has(self.code) || !(has(self.code.directory) && self.code.directory != '' && "
        "has(self.code.git) && self.code.git != '')",
        "code comes from a directory or from git, not from both",
        ".code",
    ),
    _rule(
        "!has(self.code) || !has(self.code.bundle) || self.code.bundle == '' || "
        "((!has(self.code.git) || self.code.git == '') && "
        "(!has(self.code.directory) || self.code.directory == ''))",
        "code that was uploaded comes from nowhere else: leave git and directory out",
        ".code",
    ),
    _rule(
        "!has(self.code) || !has(self.code.ref) || self.code.ref == '' || (has(self.code.git) && "
        "self.code.git != '')",
        "a ref needs the git repository it belongs to",
        ".code",
    ),
    _rule(
        "!has(self.outputs) || self.outputs == '' || self.outputs.startsWith('/')",
        "outputs must be an absolute path",
        ".outputs",
    ),
    _rule(
        "!has(self.progressPattern) || self.progressPattern == '' || "
        "self.progressPattern.contains('(?P<step>')",
        "a pattern of progress needs a group named step, for instance "
        "'step (?P<step>[0-9]+) of (?P<total>[0-9]+), loss (?P<loss>[0-9.]+)'",
        ".progressPattern",
    ),
    _rule(
        "!has(self.progressPattern) || ''.matches(self.progressPattern) || "
        "!''.matches(self.progressPattern)",
        "this is no regular expression in the syntax of RE2",
        ".progressPattern",
    ),
    _rule(
        "!has(self.tensorboard) || !has(self.tensorboard.logDir) || self.tensorboard.logDir == '' "
        "|| self.tensorboard.logDir.startsWith('/')",
        "the folder that TensorBoard reads must be an absolute path",
        ".tensorboard",
    ),
    _rule(
        "!has(self.checkpoints) || !has(self.checkpoints.directory) || "
        "self.checkpoints.directory == '' || self.checkpoints.directory.startsWith('/')",
        "the directory of checkpoints must be an absolute path",
        ".checkpoints",
    ),
]

_JOB: list[JSON] = [
    _rule(
        "!has(self.spec) || self.spec.roles.all(r, self.metadata.name.size() + r.name.size() + "
        "string(r.replicas).size() + 2 <= 63)",
        "the pods' names (job-role-rank) would be longer than 63 characters: give the job or the "
        "role a shorter name",
        ".spec.roles",
    ),
    _once("suspend", _MINE),
    _once("debug", _MINE),
    _once("roles", _MINE),
    _once("elastic", _MINE),
    _rule(
        f"!({_HAD_PHASE} && {_FINISHED}) || (has(self.spec.runPolicy) && "
        "has(self.spec.runPolicy.restarts) ? self.spec.runPolicy.restarts : 0) == "
        "(has(oldSelf.spec.runPolicy) && has(oldSelf.spec.runPolicy.restarts) ? "
        "oldSelf.spec.runPolicy.restarts : 0)",
        _MINE,
        ".spec.runPolicy",
    ),
    _rule(
        f"!({_HAD_PHASE} && oldSelf.status.phase in ['Starting', 'Running', 'Restarting']) || "
        "(has(self.spec.suspend) && self.spec.suspend) || "
        "(has(self.spec.scheduling) && has(self.spec.scheduling.queue) ? "
        "self.spec.scheduling.queue : '') == (has(oldSelf.spec.scheduling) && "
        "has(oldSelf.spec.scheduling.queue) ? oldSelf.spec.scheduling.queue : '')",
        "the job runs under its queue's quota: suspend it before it moves to another",
        ".spec.scheduling",
    ),
]

RULES: Mapping[type[Struct], list[JSON]] = {
    training.TrainingJob: _JOB,
    training.TrainingJobSpec: _SPEC,
    training.Elastic: [_rule("self.min <= self.max", "min must not exceed max", ".min")],
    training.RunPolicy: [
        _rule(
            "!has(self.restarts) || !has(oldSelf.restarts) || self.restarts >= oldSelf.restarts",
            "restarts only grows: raise it by one",
            ".restarts",
        ),
    ],
}
"""CEL rules of a job's types."""
