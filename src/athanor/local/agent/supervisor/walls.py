"""The last walls before a program starts: a seccomp filter and Landlock rules.

Seccomp refuses (EPERM) the calls by which a process could change the machine: mounting, modules,
other namespaces, tracing kernels. Landlock bounds where files may be written, which is the only
wall there is without namespaces. Both are skipped where the kernel lacks them; the probe says so.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import Any

from athanor.local.agent.supervisor import linux

_PR_SET_SECCOMP, _FILTER = 22, 2
_LD_ABS, _JEQ, _JSET, _RET = 0x20, 0x15, 0x45, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# mount umount2 pivot_root swapon swapoff reboot sethostname setdomainname init_module
# delete_module quotactl unshare setns kexec_load kexec_file_load finit_module bpf
# perf_event_open add_key request_key keyctl open_by_handle_at userfaultfd acct settimeofday
# clock_settime adjtimex syslog open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr
# io_uring_setup
_REFUSED = {
    "x86_64": (
        165, 166, 155, 167, 168, 169, 170, 171, 175, 176, 179, 272, 308, 246, 320, 313, 321, 298,
        248, 249, 250, 304, 323, 163, 164, 227, 159, 103, 428, 429, 430, 431, 432, 433, 442, 425,
    ),
    "aarch64": (
        40, 39, 41, 224, 225, 142, 161, 162, 105, 106, 60, 97, 268, 104, 294, 273, 280, 241, 217,
        218, 219, 265, 282, 89, 170, 112, 171, 116, 428, 429, 430, 431, 432, 433, 442, 425,
    ),
}  # fmt: skip
_CLONE = {"x86_64": 56, "aarch64": 220}
_CLONE3 = 435
_X32 = 0x40000000

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_WRITE = 0b1_1111_1111_0010  # write_file, remove_*, make_*: ABI 1 without execute and reads
_READ = 0b0_0000_0000_1101  # execute, read_file, read_dir
_FILE_ONLY = 0b0_0000_0000_0111  # execute, write_file, read_file
_REFER, _TRUNCATE = 1 << 13, 1 << 14  # ABI 2, ABI 3


def apply(spec: dict[str, Any]) -> None:
    """Put up the walls that `spec["walls"]` names: "landlock", "seccomp"."""
    names = spec.get("walls", ())
    if "landlock" in names:
        _landlock(spec.get("writable", []))
    if "seccomp" in names:
        _seccomp()


def landlock_version() -> int:
    """The kernel's Landlock ABI; 0 when it has none."""
    try:
        return linux.raw_syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(1))
    except OSError:
        return 0


def _instruction(code: int, k: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("HBBI", code, yes, no, k)


def program(machine: str) -> bytes:
    """The filter as classic BPF for one architecture."""
    refuse = _instruction(_RET, _ERRNO | errno.EPERM)
    code = [
        _instruction(_LD_ABS, 4),
        _instruction(_JEQ, _ARCH[machine], 1, 0),
        _instruction(_RET, _KILL),
        _instruction(_LD_ABS, 0),
    ]
    if machine == "x86_64":
        code += [_instruction(_JSET, _X32, 0, 1), refuse]
    # clone3 hides its flags behind a pointer: programs fall back to clone when it is not there
    code += [_instruction(_JEQ, _CLONE3, 0, 1), _instruction(_RET, _ERRNO | errno.ENOSYS)]
    for number in _REFUSED[machine]:
        code += [_instruction(_JEQ, number, 0, 1), refuse]
    code += [
        _instruction(_JEQ, _CLONE[machine], 0, 3),
        _instruction(_LD_ABS, 16),
        _instruction(_JSET, linux.NEWUSER, 0, 1),
        refuse,
        _instruction(_RET, _ALLOW),
    ]
    return b"".join(code)


def _seccomp() -> None:
    raw = program(os.uname().machine)
    buffer = ctypes.create_string_buffer(raw, len(raw))
    head = struct.pack("HxxxxxxP", len(raw) // 8, ctypes.addressof(buffer))
    linux.prctl_pointer(_PR_SET_SECCOMP, _FILTER, ctypes.c_char_p(head))


def _landlock(writable: list[str]) -> None:
    version = landlock_version()
    if not version:
        return
    write = _WRITE | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    handled = struct.pack("Q", write | _READ)
    ruleset = linux.raw_syscall(
        _LANDLOCK_CREATE, handled, ctypes.c_size_t(len(handled)), ctypes.c_uint(0)
    )
    try:
        # reading stays the business of file modes; only writing is bounded here
        _allow(ruleset, "/", _READ)
        for path in writable:
            _allow(ruleset, path, write | _READ)
        linux.raw_syscall(_LANDLOCK_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint(0))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, access: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not os.path.isdir(path):
            access &= _FILE_ONLY | _TRUNCATE
        rule = struct.pack("=Qi", access, fd)
        linux.raw_syscall(
            _LANDLOCK_ADD, ctypes.c_int(ruleset), ctypes.c_int(1), rule, ctypes.c_uint(0)
        )
    finally:
        os.close(fd)
