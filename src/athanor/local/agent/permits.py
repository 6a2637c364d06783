"""Which of the machine's folders a pod may be given: those that whoever submitted it may use.

Folders are mounted with the platform's own rights, past closed homes and into the platform's own
data. So the rights are looked at here: those of the user that the pod runs as, those of the
submitter's account on this machine (the account of that name), and all of them for what an
administrator submitted. Nobody is given a folder of the platform's data but the checkpoints of
the pod's own namespace.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from athanor.api import labels
from athanor.api.meta import JSON
from athanor.local.agent.plan.environ import Missing

FIRST_ACCOUNT = 1000
"""The first uid of people; those below belong to the system's own services."""
NOBODY = -1
CHOOSE = ", or let an administrator choose the namespace's user (annotation athanor.dev/uid)"
_PASS, _WRITE = 0o1, 0o2


class Rights(Struct, frozen=True):
    """Somebody as the kernel sees them; NOBODY is let in where everybody is."""

    uid: int
    groups: tuple[int, ...] = ()

    def may(self, path: str, bits: int) -> bool:
        """Whether the mode of a folder lets them in."""
        found = os.stat(path)
        if found.st_uid == self.uid:
            return bool(found.st_mode >> 6 & bits)
        if found.st_gid in self.groups:
            return bool(found.st_mode >> 3 & bits)
        return bool(found.st_mode & bits)


class Permit(Struct, frozen=True, kw_only=True):
    """What one pod may be given. `everything`: an administrator submitted it."""

    everything: bool = False
    rights: tuple[Rights, ...] = ()
    user: str = ""  # as messages name it
    guest: bool = False  # runs as the platform's owner, who would be let in everywhere
    home: str = ""  # the owner's: private files there are the guest's as far as the kernel knows
    data: str = ""  # the platform's folder
    own: str = ""  # what of it is for pods of this namespace
    host_network: bool = True  # on a cluster, its own admission decides
    way_out: str = ""  # beside opening a folder

    def owns(self, path: str) -> bool:
        """Whether a folder is among the namespace's own checkpoints."""
        return _within(path, self.own)

    def check_data(self, path: str) -> None:
        """Raises Missing for a folder of the platform's own."""
        if _within(path, self.data) and not self.owns(path):
            raise Missing(f"{path} belongs to the platform: no pod is given it")

    def check_passage(self, path: str) -> None:
        """Raises Missing where a folder on the way lets none of them pass."""
        if self.everything or self.owns(path):
            return
        if self.guest and (_within(path, self.home) or _within(self.home, path)):
            raise Missing(f"{self.user} is given nothing of {self.home}: name a folder elsewhere")
        for parent in reversed(Path(path).parents):
            if not self._any(str(parent), _PASS):
                raise Missing(
                    f"{self.user} may not pass {parent}: open it (chmod o+x){self.way_out}"
                )

    def check_environment(self, needs: Iterable[str], known: frozenset[str]) -> None:
        """Raises Missing for folders of an environment that are neither known nor in reach."""
        for path in {os.path.realpath(need) for need in needs} - known:
            self.check_data(path)
            self.check_passage(path)

    def only_reads(self, path: str) -> bool:
        """Whether the mode of a folder does not say by itself that this pod may not write."""
        return self.guest and not self.owns(path) and not self._any(path, _WRITE)

    def check_making(self, path: str) -> None:
        """Raises Missing where none of them could make this folder or file."""
        if self.everything or self.owns(path):
            return
        parent = next(p for p in Path(path).parents if p.exists())
        self.check_passage(str(parent))
        if not (self._any(str(parent), _PASS) and self._any(str(parent), _WRITE)):
            raise Missing(
                f"{path} is not there, and {self.user} may not make it in {parent}: make it and "
                "let that user write, or name another folder (submit: --output-dir)"
            )

    def _any(self, path: str, bits: int) -> bool:
        return any(rights.may(path, bits) for rights in self.rights)


def permit(pod: JSON, uid: int, data: Path, *, stamped: bool, ours: int) -> Permit:
    """The permit of a pod that runs as `uid`.

    `stamped`: the API server writes who submitted a pod, and nothing for administrators; elsewhere
    the annotation proves nothing. `ours` is the platform's own uid: where that is not root, pods
    run as the platform's owner, and other people's get only what everybody may have.
    """
    meta = pod["metadata"]
    who = (meta.get("annotations") or {}).get(labels.USER, "")
    own = str(data / "node" / "checkpoints" / meta["namespace"])
    if stamped and not who:
        return Permit(everything=True, data=str(data), own=own)
    if ours != 0:
        return Permit(
            rights=(Rights(NOBODY),), user=f"{who or 'somebody else'}, a guest here,", guest=True,
            home=os.path.expanduser("~"), data=str(data), own=own, host_network=not stamped,
        )  # fmt: skip
    rights = [Rights(uid, (uid,))]
    if stamped and (account := _account(who)) is not None:
        rights.append(account)
    user = f"user {uid}, whom the pod runs as,"
    return Permit(
        rights=tuple(rights), user=user, data=str(data), own=own, host_network=not stamped,
        way_out=CHOOSE if stamped else "",  # nodes of a cluster may not read namespaces
    )  # fmt: skip


def closed_parent(path: str, uid: int) -> str:
    """The first folder on the way to a path that a user may not pass, or ""."""
    parts = Path(path).parts
    for depth in range(1, len(parts)):
        parent = Path(*parts[: depth + 1])
        if str(parent) == path:
            return ""
        found = parent.stat()
        if found.st_uid != uid and not found.st_mode & 0o001:
            return str(parent)
    return ""


def _account(name: str) -> Rights | None:
    """A person's account on this machine."""
    try:
        found = pwd.getpwnam(name)
    except (KeyError, ValueError):
        return None
    if found.pw_uid < FIRST_ACCOUNT:
        return None
    return Rights(found.pw_uid, tuple(os.getgrouplist(name, found.pw_gid)))


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
