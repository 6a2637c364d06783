"""What may be wrong with where a pod wants to be: affinity, spreading, tolerations, gates."""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.local.apiserver import names
from athanor.local.apiserver.errors import duplicate, not_allowed, required, unsupported, wrong
from athanor.wire.selector import key_problems, object_causes, value_problems
from athanor.wire.status import Cause

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
TOLERATED: list[JSON] = [
    {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute",
     "tolerationSeconds": 300}
    for key in ("not-ready", "unreachable")
]  # fmt: skip
"""What every pod tolerates unless it says otherwise."""
_WHEN = ("DoNotSchedule", "ScheduleAnyway")
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_WEIGHT, _MOST_WEIGHT = "must be in the range 1-100", 100
_OPERATOR = "not a valid selector operator"


def check_affinity(affinity: JSON, path: str, causes: list[Cause]) -> None:
    """`affinity` of a pod."""
    if (nodes := affinity.get("nodeAffinity")) is not None:
        if (must := nodes.get(_REQUIRED)) is not None:
            node_selector(must, f"{path}.nodeAffinity.{_REQUIRED}", causes)
        for i, term in enumerate(nodes.get(_PREFERRED) or ()):
            at = f"{path}.nodeAffinity.{_PREFERRED}[{i}]"
            _weight(term, at, causes)
            preference = term.get("preference") or {}
            _node_term(preference, f"{at}.preference", causes, values=False)
    for kind in ("podAffinity", "podAntiAffinity"):
        found = affinity.get(kind) or {}
        for i, term in enumerate(found.get(_REQUIRED) or ()):
            _pod_term(term, f"{path}.{kind}.{_REQUIRED}[{i}]", causes)
        for i, term in enumerate(found.get(_PREFERRED) or ()):
            at = f"{path}.{kind}.{_PREFERRED}[{i}]"
            _weight(term, at, causes)
            _pod_term(term.get("podAffinityTerm") or {}, f"{at}.podAffinityTerm", causes)


def _weight(term: JSON, at: str, causes: list[Cause]) -> None:
    if not 0 < (weight := term.get("weight") or 0) <= _MOST_WEIGHT:
        causes.append(wrong(f"{at}.weight", weight, _WEIGHT))


def node_selector(selector: JSON, path: str, causes: list[Cause]) -> None:
    """A selection of nodes by terms of which one must hold."""
    terms = selector.get("nodeSelectorTerms") or ()
    if not terms:
        detail = "must have at least one node selector term"
        causes.append(required(f"{path}.nodeSelectorTerms", detail))
    for i, term in enumerate(terms):
        _node_term(term, f"{path}.nodeSelectorTerms[{i}]", causes, values=True)


def _node_term(term: JSON, path: str, causes: list[Cause], *, values: bool) -> None:
    for i, asked in enumerate(term.get("matchExpressions") or ()):
        _expression(asked, f"{path}.matchExpressions[{i}]", causes, values=values)
    for i, asked in enumerate(term.get("matchFields") or ()):
        at, found = f"{path}.matchFields[{i}]", asked.get("values") or ()
        if (operator := asked.get("operator") or "") not in ("In", "NotIn"):
            causes.append(wrong(f"{at}.operator", operator, _OPERATOR))
        elif len(found) != 1:
            detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field "
            causes.append(required(f"{at}.values", f"{detail}selector"))
        if (key := asked.get("key") or "") != "metadata.name":
            causes.append(wrong(f"{at}.key", key, "not a valid field selector key"))
            continue
        for j, value in enumerate(found):
            causes += [wrong(f"{at}.values[{j}]", value, p) for p in names.subdomain(value)]


def _expression(asked: JSON, path: str, causes: list[Cause], *, values: bool) -> None:
    operator, found = asked.get("operator") or "", asked.get("values") or ()
    if operator in ("In", "NotIn"):
        if not found:
            detail = "must be specified when `operator` is 'In' or 'NotIn'"
            causes.append(required(f"{path}.values", detail))
    elif operator in ("Exists", "DoesNotExist"):
        if found:
            detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            causes.append(not_allowed(f"{path}.values", detail))
    elif operator in ("Gt", "Lt"):
        if len(found) != 1:
            detail = "must be specified single value when `operator` is 'Lt' or 'Gt'"
            causes.append(required(f"{path}.values", detail))
    else:
        causes.append(wrong(f"{path}.operator", operator, _OPERATOR))
    key = asked.get("key") or ""
    causes += [wrong(f"{path}.key", key, problem) for problem in key_problems(key)]
    for i, value in enumerate(found if values else ()):
        causes += [wrong(f"{path}.values[{i}]", value, p) for p in value_problems(value)]


def _pod_term(term: JSON, path: str, causes: list[Cause]) -> None:
    for name in ("labelSelector", "namespaceSelector"):
        if (selector := term.get(name)) is not None:
            causes += object_causes(selector, f"{path}.{name}")
    for name in term.get("namespaces") or ():
        causes += [wrong(f"{path}.namespace", name, problem) for problem in names.label(name)]
    topology, at = term.get("topologyKey") or "", f"{path}.topologyKey"
    if not topology:
        causes.append(required(at, "can not be empty"))
    causes += [wrong(at, topology, problem) for problem in key_problems(topology)]


def check_spreading(constraints: list[JSON], path: str, causes: list[Cause]) -> None:
    """`topologySpreadConstraints` of a pod."""
    for i, one in enumerate(constraints):
        at, skew, when = f"{path}[{i}]", one.get("maxSkew") or 0, one.get("whenUnsatisfiable")
        if skew <= 0:
            causes.append(wrong(f"{at}.maxSkew", skew, "must be greater than zero"))
        if not (topology := one.get("topologyKey") or ""):
            causes.append(required(f"{at}.topologyKey", "can not be empty"))
        if when not in _WHEN:
            causes.append(unsupported(f"{at}.whenUnsatisfiable", when or "", _WHEN))
        if any(
            (other.get("topologyKey") or "", other.get("whenUnsatisfiable")) == (topology, when)
            for other in constraints[i + 1 :]
        ):
            both = f"{{{topology}, {when}}}"
            causes.append(duplicate(f"{at}.{{topologyKey, whenUnsatisfiable}}", both))
        if (least := one.get("minDomains")) is not None:
            if least <= 0:
                causes.append(wrong(f"{at}.minDomains", least, "must be greater than zero"))
            if when != "DoNotSchedule":
                detail = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {when}"
                causes.append(wrong(f"{at}.minDomains", least, detail))
        if (selector := one.get("labelSelector")) is not None:
            causes += object_causes(selector, f"{at}.labelSelector")


def check_tolerations(tolerations: list[JSON], path: str, causes: list[Cause]) -> None:
    """`tolerations` of a pod."""
    for i, toleration in enumerate(tolerations):
        if toleration not in TOLERATED:
            _toleration(toleration, f"{path}[{i}]", causes)


def _toleration(toleration: JSON, path: str, causes: list[Cause]) -> None:
    key, operator = toleration.get("key") or "", toleration.get("operator") or ""
    value, effect = toleration.get("value") or "", toleration.get("effect") or ""
    causes += [wrong(f"{path}.key", key, problem) for problem in key_problems(key) if key]
    if not key and operator != "Exists":
        detail = (
            'operator must be Exists when `key` is empty, which means "match all values and all '
            'keys"'
        )
        causes.append(wrong(f"{path}.operator", operator, detail))
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        detail = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        causes.append(wrong(f"{path}.effect", effect, detail))
    if operator in ("Equal", ""):
        if problems := value_problems(value):
            causes.append(wrong(f"{path}.operator", value, ";".join(problems)))
    elif operator == "Exists":
        if value:
            detail = "value must be empty when `operator` is 'Exists'"
            causes.append(wrong(f"{path}.operator", value, detail))
    else:
        words = ("Equal", "Exists") if operator not in ("Lt", "Gt") else (
            "Equal", "Exists", "Lt", "Gt"
        )  # fmt: skip
        causes.append(unsupported(f"{path}.operator", operator, words))
    if effect and effect not in EFFECTS:
        causes.append(unsupported(f"{path}.effect", effect, EFFECTS))


def check_gates(gates: list[JSON], path: str, causes: list[Cause]) -> None:
    """`schedulingGates` of a pod."""
    seen = set[str]()
    for i, gate in enumerate(gates):
        name = gate.get("name") or ""
        causes += [wrong(f"{path}[{i}]", name, problem) for problem in key_problems(name)]
        if name in seen:
            causes.append(duplicate(f"{path}[{i}]", name))
        seen.add(name)
