"""Requests that a pod's node answers: log, exec, attach, port-forward. They become a Forward."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from athanor.api.meta import JSON
from athanor.local.apiserver import errors
from athanor.local.apiserver.core import Call, Core
from athanor.wire.request import Answer, Forward, Response
from athanor.wire.status import ApiError, Cause

_GROUPS = ("containers", "initContainers", "ephemeralContainers")
_STREAMS = {"stdin": "input", "stdout": "output", "stderr": "error", "tty": "tty"}
_TRUE = ("1", "true", "True")


async def log(core: Core, call: Call) -> Answer:
    """GET pods/x/log."""
    pod = _pod(core, call)
    container = _container(call, pod)
    _check_log(call)
    if not pod["spec"].get("nodeName"):
        return Response(status=204, content_type="text/plain")
    query = [(k, v) for k, v in call.request.query if k not in ("container", "pretty")]
    return _to(core, call, pod, f"containerLogs/{_path(call)}/{quote(container)}", query)


_LEAST = {"tailLines": 0, "limitBytes": 1, "sinceSeconds": 1}
"""Numbers of a log's options and the least that each may be."""


def _check_log(call: Call) -> None:
    """The options of a log, which the node takes as they are. Raises BadRequest or Invalid."""
    causes, asked = list[Cause](), dict(call.request.query)
    for name in ("tailLines", "limitBytes", "sinceSeconds"):
        if (said := asked.get(name)) is None or not said:
            continue
        try:
            value = int(said)
        except ValueError:
            message = f'strconv.ParseInt: parsing "{said}": invalid syntax'
            raise errors.bad(message, name) from None
        if name == "sinceSeconds" and asked.get("sinceTime"):
            detail = "at most one of `sinceTime` or `sinceSeconds` may be specified"
            causes.append(errors.not_allowed("[]", detail))
        elif value < _LEAST[name]:
            words = "greater than or equal to 0" if name == "tailLines" else "greater than 0"
            causes.append(errors.wrong(name, value, f"must be {words}"))
    if causes:
        raise errors.invalid("PodLogOptions", "", call.target.name, causes)


async def execute(core: Core, call: Call) -> Answer:
    """exec and attach: the streams asked for, by the names kubelets know."""
    pod = _pod(core, call)
    sub = call.target.subresource
    container = _container(call, pod)
    query = []
    for key, value in call.request.query:
        if key in _STREAMS:
            if value in _TRUE:
                query.append((_STREAMS[key], "1"))
        elif key == "command":
            query.append((key, value))
    _node_of(pod)
    if not any(name in ("input", "output", "error") for name, _ in query):
        raise errors.bad("you must specify at least 1 of stdin, stdout, stderr")
    if sub == "exec" and not any(name == "command" for name, _ in query):
        raise errors.bad("you must specify at least one command for the container")
    return _to(core, call, pod, f"{sub}/{_path(call)}/{quote(container)}", query)


async def port_forward(core: Core, call: Call) -> Answer:
    """portforward."""
    pod = _pod(core, call)
    return _to(core, call, pod, f"portForward/{_path(call)}", list(call.request.query))


def _path(call: Call) -> str:
    return f"{quote(call.target.namespace)}/{quote(call.target.name)}"


def _pod(core: Core, call: Call) -> JSON:
    pod = core.latest("pods", call.target.namespace, call.target.name)
    if pod is None:
        raise errors.not_found(call.resource, call.target.name)
    return pod


def _container(call: Call, pod: JSON) -> str:
    """The container meant: the one named, the annotated default, or the only one."""
    names = [c["name"] for group in _GROUPS for c in pod["spec"].get(group) or ()]
    asked = call.request.param("container")
    name = pod["metadata"]["name"]
    if asked:
        if asked not in names:
            raise errors.bad(f"container {asked} is not valid for pod {name}")
        return asked
    main = [c["name"] for c in pod["spec"].get("containers") or ()]
    if len(main) == 1:
        return str(main[0])
    raise errors.bad(
        f"a container name must be specified for pod {name}, choose one of: [{' '.join(main)}]"
    )


def _node_of(pod: JSON) -> str:
    if not (node_name := pod["spec"].get("nodeName")):
        raise errors.bad(f"pod {pod['metadata']['name']} does not have a host assigned")
    return str(node_name)


def _to(core: Core, call: Call, pod: JSON, path: str, query: list[tuple[str, str]]) -> Forward:
    node_name = _node_of(pod)
    node = core.latest("nodes", "", node_name)
    if node is None:
        raise ApiError("NotFound", f'nodes "{node_name}" not found', kind="nodes", name=node_name)
    status = node.get("status") or {}
    port = ((status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port")
    address = next(
        (a["address"] for a in status.get("addresses") or () if a["type"] == "InternalIP"), ""
    )
    if not port or not address:
        raise ApiError(
            "ServiceUnavailable",
            f'node "{node_name}" says no address of its agent: is it running?',
        )
    host = f"[{address}]" if ":" in address else address
    tail = f"?{urlencode(query)}" if query else ""
    return Forward(url=f"https://{host}:{port}/{path}{tail}")
