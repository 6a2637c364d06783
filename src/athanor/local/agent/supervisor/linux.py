"""The Linux calls that Python 3.11's standard library lacks: namespaces, mounts, prctl.

Flag values are those of the kernel's uapi headers (sched.h, mount.h, prctl.h). Every function
raises OSError with the call's name and operand.
"""

from __future__ import annotations

import ctypes
import os
import sys

NEWNS = 0x00020000
NEWUTS = 0x04000000
NEWIPC = 0x08000000
NEWUSER = 0x10000000
NEWPID = 0x20000000
NEWNET = 0x40000000

MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MNT_DETACH = 2

_PR_SET_PDEATHSIG = 1
_PR_CAPBSET_DROP = 24
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_LAST_CAP = 40
_SYS_OPENAT2, _SYS_MOUNT_SETATTR = 437, 442  # the same on every architecture
_AT_FDCWD, _RESOLVE_NO_SYMLINKS = -100, 0x04

LINUX = sys.platform == "linux"
# PyDLL keeps the interpreter's lock: the supervisor has one thread, and children must not wait.
_libc = ctypes.PyDLL(None, use_errno=True)


def _check(result: int, what: str) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")
    return result


def unshare(flags: int) -> None:
    """Leave namespaces for new ones (unshare(2))."""
    _check(_libc.unshare(flags), f"unshare({flags:#x})")


def setns(fd: int, flags: int) -> None:
    """Enter the namespace that `fd` stands for (setns(2))."""
    _check(_libc.setns(fd, flags), f"setns({flags:#x})")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    result = _libc.mount(
        source.encode(), target.encode(), kind.encode() or None,
        ctypes.c_ulong(flags), data.encode() or None,
    )  # fmt: skip
    _check(result, f"mount {source} on {target}")


def bind_exactly(source: str, target: str) -> None:
    """Bind mount a path that holds no symbolic links: one put there since it was checked fails."""
    how = (ctypes.c_uint64 * 3)(os.O_PATH | os.O_CLOEXEC, 0, _RESOLVE_NO_SYMLINKS)
    fd = _libc.syscall(
        ctypes.c_long(_SYS_OPENAT2), ctypes.c_int(_AT_FDCWD), source.encode(), ctypes.byref(how),
        ctypes.c_size_t(24),
    )  # fmt: skip
    _check(fd, f"open {source}")
    try:
        mount(f"/proc/self/fd/{fd}", target, flags=MS_BIND | MS_REC)
    finally:
        os.close(fd)


def pivot_root(new: str) -> None:
    """Make `new` the root directory and let the old one go (pivot_root(2), "." twice)."""
    os.chdir(new)
    number = _SYS_PIVOT_ROOT[os.uname().machine]
    _check(_libc.syscall(ctypes.c_long(number), b".", b"."), f"pivot_root {new}")
    _check(_libc.umount2(b".", MNT_DETACH), "umount2 .")
    os.chdir("/")


def sethostname(name: str) -> None:
    """Set the name of this UTS namespace."""
    raw = name.encode()
    _check(_libc.sethostname(raw, len(raw)), f"sethostname {name}")


def _prctl(option: int, value: int, what: str) -> None:
    arguments = [ctypes.c_ulong(x) for x in (value, 0, 0, 0)]
    _check(_libc.prctl(option, *arguments), what)


def die_with_parent(signal: int) -> None:
    """Have the kernel send `signal` to this process when its parent dies."""
    _prctl(_PR_SET_PDEATHSIG, signal, "prctl PDEATHSIG")


def become_subreaper() -> None:
    """Orphaned descendants of this process become its children."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1, "prctl CHILD_SUBREAPER")


def no_new_privileges() -> None:
    """setuid binaries and file capabilities give nothing from here on."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1, "prctl NO_NEW_PRIVS")


def drop_bounding_set() -> None:
    """Take every capability out of the bounding set; unknown ones are not there to take."""
    for capability in range(_LAST_CAP + 1):
        _libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0)


def raw_syscall(number: int, *arguments: object) -> int:
    """Any system call without a libc wrapper; arguments are ctypes values or bytes."""
    return _check(_libc.syscall(ctypes.c_long(number), *arguments), f"syscall {number}")


def prctl_pointer(option: int, value: int, pointer: object) -> None:
    """prctl(2) with a pointer as third argument."""
    zero = ctypes.c_ulong(0)
    result = _libc.prctl(option, ctypes.c_ulong(value), pointer, zero, zero)
    _check(result, f"prctl {option}")


_AT_RECURSIVE = 0x8000
ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV = 0x1, 0x2, 0x4


def set_attributes(path: str, attributes: int, *, recursive: bool = False) -> None:
    """Add attributes (read-only, nosuid, nodev) to a mount, keeping those it has."""
    wanted = (ctypes.c_uint64 * 4)(attributes, 0, 0, 0)
    result = _libc.syscall(
        ctypes.c_long(_SYS_MOUNT_SETATTR), ctypes.c_int(_AT_FDCWD), path.encode(),
        ctypes.c_uint(_AT_RECURSIVE if recursive else 0), ctypes.byref(wanted),
        ctypes.c_size_t(32),
    )  # fmt: skip
    _check(result, f"mount_setattr {path}")
