"""From a kubeconfig to a transport. Each kind of client imports only what it needs."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from athanor.client import kubeconfig as kubeconfigs
from athanor.client.sync import SyncHttp
from athanor.client.target import Target
from athanor.wire.status import ApiError

if TYPE_CHECKING:
    from athanor.sdk.drive_async import AsyncDriver, BriefDriver


def target(files: str | None, context: str | None) -> Target:
    """The server and identity that are meant.

    `files`: paths as in $KUBECONFIG. Without them, as on the command line: the platform that
    `athanor up` started here ($ATHANOR_DATA or ~/.athanor), those of $KUBECONFIG, ~/.kube/config;
    in a pod its service account. Raises ApiError(BadRequest) that says what lacks.
    """
    if files:
        return kubeconfigs.load(files.split(os.pathsep)).target(context)
    ours = Path(os.environ.get("ATHANOR_DATA", "~/.athanor")).expanduser() / "admin.kubeconfig"
    if ours.exists():
        return kubeconfigs.load([ours]).target(context)
    if not os.environ.get("KUBECONFIG"):
        inside = kubeconfigs.in_cluster(os.environ)
        if inside is not None:
            return inside
    usual = kubeconfigs.default_paths(os.environ)
    found = kubeconfigs.load(usual)
    if not found.files:
        missing = " or ".join(str(path) for path in (ours, *usual))
        said = f"no platform is known: there is no {missing}; athanor up --detach starts one here"
        raise ApiError("BadRequest", said)
    return found.target(context)


def sync(files: str | None, context: str | None) -> tuple[SyncHttp, str]:
    """A blocking transport, and the context's namespace."""
    found = target(files, context)
    return SyncHttp(found), found.namespace


def asynchronous(files: str | None, context: str | None) -> tuple[AsyncDriver, str]:
    """A driver for an event loop, and the context's namespace."""
    found, http, drive = _asynchronous(files, context)
    driver: AsyncDriver = drive.AsyncDriver(http.Http(found))
    return driver, found.namespace


def brief(files: str | None, context: str | None) -> tuple[BriefDriver, str]:
    """The same, with connections for one operation each: nobody has to close it."""
    found, http, drive = _asynchronous(files, context)
    driver: BriefDriver = drive.BriefDriver(lambda: http.Http(found))
    return driver, found.namespace


def _asynchronous(files: str | None, context: str | None) -> tuple[Target, Any, Any]:
    names = ("athanor.client.http", "athanor.sdk.drive_async")
    http, drive = (importlib.import_module(name) for name in names)
    return target(files, context), http, drive
