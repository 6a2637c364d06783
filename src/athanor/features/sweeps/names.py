"""What the names in a sweep's template stand for: `${parameters.NAME}` and `${sweep.name}`."""

from __future__ import annotations

from collections.abc import Mapping

from athanor.api.meta import to_manifest
from athanor.api.sweeps import Sweep
from athanor.features.sweeps import space
from athanor.features.sweeps.space import Value
from athanor.kit import fill


def wrong(sweep: Sweep) -> str:
    """What makes no sense: parameters, or a name that stands for nothing; "" when all is well."""
    said = space.wrong(sweep.spec.parameters)
    if said:
        return said
    known = {f"parameters.{one.name}" for one in sweep.spec.parameters} | {"sweep.name"}
    for name in fill.names(to_manifest(sweep.spec.template)):
        if name not in known:
            there = ", ".join(f"${{{one}}}" for one in sorted(known))
            return f"spec.template: ${{{name}}} stands for nothing; there are {there}"
    return ""


def lookup(sweep: Sweep, values: Mapping[str, Value]) -> fill.Lookup:
    """What a name is for a trial of these `values`."""
    known = {parameter.name for parameter in sweep.spec.parameters}

    def look(name: str) -> fill.Json:
        first, _, parameter = name.partition(".")
        if first == "sweep" and parameter == "name":
            return sweep.metadata.name
        if first != "parameters" or parameter not in known:
            raise fill.Unknown(name)
        if parameter not in values:
            raise fill.Absent(name)
        return values[parameter]

    return look
