"""Which server a command means, as whom, and how the answer is to be printed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Literal

from athanor.kit.clock import Clock, SystemClock

if TYPE_CHECKING:
    from athanor.sdk.client import Client
    from athanor.sdk.code import Packed

Output = Literal["table", "wide", "json", "yaml", "name"]


class World:
    """The wishes of the command line, gathered from the options before and after the verb.

    The kubeconfig is, in this order: --kubeconfig; that of the data directory when --data is given;
    that of the default data directory, when `athanor up` made one; $KUBECONFIG; ~/.kube/config.
    """

    def __init__(
        self, connect: Callable[[World], Client] | None = None, clock: Clock | None = None
    ) -> None:
        self._connect = connect or _connect
        self.clock = clock or SystemClock()
        self._client: Client | None = None
        self._data: str | None = os.environ.get("ATHANOR_DATA")
        self._kubeconfig: str | None = None
        self.context: str | None = None
        self.namespace: str | None = None
        self.output: Output = "table"
        self.verbose = 0
        self.bundles: list[Packed] = []

    def take(self, wishes: Mapping[str, object]) -> None:
        """Note the options that were given."""
        if isinstance(data := wishes.get("data"), str):
            self._data = data
        if isinstance(kubeconfig := wishes.get("kubeconfig"), str):
            self._kubeconfig = kubeconfig
        if isinstance(context := wishes.get("context"), str):
            self.context = context
        if isinstance(namespace := wishes.get("namespace"), str):
            self.namespace = namespace
        if (output := wishes.get("output")) in ("table", "wide", "json", "yaml", "name"):
            self.output = output
        if isinstance(verbose := wishes.get("verbose"), int):
            self.verbose = max(self.verbose, verbose)

    @property
    def data(self) -> str:
        """The data directory of the local platform, an absolute path."""
        return os.path.abspath(os.path.expanduser(self._data or "~/.athanor"))

    @property
    def is_ours(self) -> bool:
        """Whether the kubeconfig that is meant is the data directory's."""
        return self.kubeconfig == os.path.join(self.data, "admin.kubeconfig")

    @property
    def kubeconfig(self) -> str:
        """The kubeconfig that is meant, whether it exists or not."""
        if self._kubeconfig:
            return os.path.abspath(os.path.expanduser(self._kubeconfig))
        ours = os.path.join(self.data, "admin.kubeconfig")
        if self._data or os.path.exists(ours):
            return ours
        if os.environ.get("KUBECONFIG"):
            return os.environ["KUBECONFIG"]
        default = os.path.expanduser("~/.kube/config")
        return default if os.path.exists(default) else ours

    def cluster(self) -> str:
        """The name of the kubeconfig's context that is meant."""
        from athanor.client import kubeconfig

        return self.context or kubeconfig.load(self.kubeconfig.split(os.pathsep)).current

    @property
    def client(self) -> Client:
        """The connection, made when it is first needed."""
        if self._client is None:
            self._client = self._connect(self)
        return self._client

    def upload(self, namespace: str) -> int:
        """Send the code that what is created next will need; how many bytes went."""
        return sum(self.client.upload(bundle, namespace=namespace) for bundle in self.bundles)

    @property
    def where(self) -> str:
        """The namespace that is worked in."""
        return self.client.scope.namespace


def _connect(world: World) -> Client:
    from athanor.cli.failures import UNREACHABLE, Failure
    from athanor.sdk import connect
    from athanor.sdk.client import Client
    from athanor.sdk.drive import SyncDriver

    if not any(os.path.exists(name) for name in world.kubeconfig.split(os.pathsep)):
        raise Failure(
            f"no platform is known: {world.kubeconfig} does not exist",
            hint="athanor up --detach starts one here; --kubeconfig names another",
            code=UNREACHABLE,
        )
    transport, usual = connect.sync(world.kubeconfig, world.context)
    if world.verbose:
        transport.told = partial(print, file=sys.stderr)
    return Client(driver=SyncDriver(transport), namespace=world.namespace or usual)
