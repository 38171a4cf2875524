"""Landlock: a Linux process gives up, for itself and all that it starts, what it does not need.

Standard library alone: a kernel calls this on itself before it imports anything else.
"""

from __future__ import annotations

import ctypes
import functools
import os
import struct
import sys
from collections.abc import Iterable, Mapping

# The numbers of these calls are the same on all architectures.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1  # flag of create: only tell the version
_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE = (1 << i for i in range(6))
_MAKE_CHAR, _MAKE_DIR, _MAKE_REG, _MAKE_SOCK, _MAKE_FIFO, _MAKE_BLOCK = (
    1 << i for i in range(6, 12)
)
_MAKE_SYM, _REFER, _TRUNCATE, _IOCTL_DEV = (1 << i for i in range(12, 16))
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
#: How many rights there are to files, by version; the last also for newer ones.
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_TCP = 1 | 2  # bind, connect
_SCOPES = 1 | 2  # abstract unix sockets, signals

#: What may be done below a path: see its names; read and execute; all but make devices; use a
#: device; share memory under names that one must know.
LIST = _READ_DIR
READ = _EXECUTE | _READ_FILE | _READ_DIR
WRITE = 0xFFFF & ~(_MAKE_CHAR | _MAKE_BLOCK | _IOCTL_DEV)
DEVICE = _READ_FILE | _WRITE_FILE | _READ_DIR | _IOCTL_DEV
SHARE = _READ_FILE | _WRITE_FILE | _TRUNCATE | _MAKE_REG | _REMOVE_FILE

#: From this version on the network is closed for TCP, from that one on signals are.
TCP_SINCE, SIGNALS_SINCE = 4, 6


@functools.cache
def version() -> int:
    """What the system offers (the ABI's version); 0 when there is no Landlock."""
    if sys.platform != "linux":
        return 0
    found: int = _libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)
    return max(0, found)


def restrict(paths: Mapping[str, int]) -> None:
    """Allow files only as ``paths`` says, by path; signals only among ourselves; no TCP.

    Paths that are not there are passed over. It can be called again, to allow less. There must be
    no other thread. OSError when it cannot be done.
    """
    known = version()
    rights = (1 << _RIGHTS.get(known, 16)) - 1
    tcp = _TCP if known >= TCP_SINCE else 0
    scopes = _SCOPES if known >= SIGNALS_SINCE else 0
    # The structure has grown with the versions; an old system refuses what it does not know.
    size = 24 if known >= SIGNALS_SINCE else 16 if known >= TCP_SINCE else 8
    attributes = struct.pack("QQQ", rights, tcp, scopes)[:size]
    ruleset = check(_libc().syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(size), 0))
    try:
        for path, access in paths.items():
            _allow(ruleset, path, access & rights)
        give_up_new_privileges()
        check(_libc().syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def give_up_new_privileges() -> None:
    """No setuid program gives this process more rights; Landlock and seccomp ask for it."""
    check(_libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def together(rules: Iterable[tuple[str, int]]) -> dict[str, int]:
    """By path, all that several rules allow there."""
    paths: dict[str, int] = {}
    for path, access in rules:
        paths[path] = paths.get(path, 0) | access
    return paths


def check(result: int) -> int:
    """The result of a call of the C library; OSError when it is negative."""
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def _allow(ruleset: int, path: str, access: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(path):
            access &= _OF_FILES
        if access:
            rule = struct.pack("=Qi", access, descriptor)
            check(_libc().syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0))
    finally:
        os.close(descriptor)


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
