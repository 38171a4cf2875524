"""seccomp: system calls that candidates are refused: network, other processes, the system itself.

Standard library alone, as ``landlock``.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

from mlestar_jupyter.execution.landlock import check, give_up_new_privileges

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_DENY = _ERRNO | errno.EPERM

# Instructions of the filter: load a word of the call's description; jump; return.
_LOAD, _EQUAL, _AT_LEAST, _HAS_BITS, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_NUMBER, _ARCHITECTURE = 0, 4


def _argument(index: int) -> int:
    return 16 + 8 * index  # its lower half, where the byte order is little-endian


_AF_UNIX, _SOCK_DGRAM, _TYPE = 1, 2, 0xF
_CLONE_NEWUSER = 0x10000000
_X32 = 0x40000000

# Of each machine: how it calls itself, then the numbers of its system calls.
_MACHINES = {
    "x86_64": (0xC000003E, 0),
    "aarch64": (0xC00000B7, 1),
}
#: Refused always: what looks into other processes or loads code into the system, and ways
#: around the rest (io_uring opens sockets, new namespaces give rights).
_REFUSED = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "kcmp": (312, 272), "pidfd_getfd": (438, 438), "perf_event_open": (298, 241),
    "bpf": (321, 280), "userfaultfd": (323, 282), "add_key": (248, 217),
    "request_key": (249, 218), "keyctl": (250, 219), "init_module": (175, 105),
    "finit_module": (313, 273), "kexec_load": (246, 104), "mount": (165, 40),
    "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97),
    "setns": (308, 268), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}  # fmt: skip
_SOCKET, _SOCKETPAIR, _CONNECT = (41, 198), (53, 199), (42, 203)
_CLONE, _CLONE3, _PRLIMIT = (56, 220), (435, 435), (302, 261)

_Instruction = tuple[int, int, int, int]


def is_known() -> bool:
    """Whether the system calls of this machine are known here."""
    return platform.machine() in _MACHINES


def refuse() -> None:
    """Refuse these calls from now on, with PermissionError.

    What is left of sockets: pairs, and unix sockets that others connect to. To connect is refused
    whatever the address, because a filter cannot read it. OSError when it cannot be done.
    """
    program = b"".join(struct.pack("HBBI", *step) for step in _program())
    buffer = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    described = Program(len(program) // 8, ctypes.addressof(buffer))
    give_up_new_privileges()
    libc = ctypes.CDLL(None, use_errno=True)
    check(libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(described), 0, 0))


def _program() -> list[_Instruction]:
    architecture, column = _MACHINES[platform.machine()]
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _DENY),  # calls of a 32-bit program have other numbers
        (_LOAD, 0, 0, _NUMBER),
    ]
    if architecture == _MACHINES["x86_64"][0]:
        steps += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _DENY)]
    for number in (*(numbers[column] for numbers in _REFUSED.values()), _CONNECT[column]):
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _DENY)]
    # Its flags lie in memory: the C library goes back to clone, whose flags can be seen.
    steps += [(_EQUAL, 0, 1, _CLONE3[column]), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    steps += _when(_CLONE[column], [
        (_LOAD, 0, 0, _argument(0)),
        (_HAS_BITS, 0, 1, _CLONE_NEWUSER), (_RETURN, 0, 0, _DENY),
    ])  # fmt: skip
    # Limits of our own may be lowered, not those of other processes.
    steps += _when(_PRLIMIT[column], [
        (_LOAD, 0, 0, _argument(0)),
        (_EQUAL, 1, 0, 0), (_RETURN, 0, 0, _DENY),
    ])  # fmt: skip
    for call in (_SOCKET, _SOCKETPAIR):
        # Datagrams are sent to an address without a connection.
        steps += _when(call[column], [
            (_LOAD, 0, 0, _argument(0)),
            (_EQUAL, 1, 0, _AF_UNIX), (_RETURN, 0, 0, _DENY),
            (_LOAD, 0, 0, _argument(1)), (_AND, 0, 0, _TYPE),
            (_EQUAL, 0, 1, _SOCK_DGRAM), (_RETURN, 0, 0, _DENY),
        ])  # fmt: skip
    return [*steps, (_RETURN, 0, 0, _ALLOW)]


def _when(number: int, steps: list[_Instruction]) -> list[_Instruction]:
    """These steps for this call, which is allowed where they come to their end."""
    steps = [*steps, (_RETURN, 0, 0, _ALLOW)]
    return [(_EQUAL, 0, len(steps), number), *steps]
