"""What a Python process needs to read of the machine: the system's libraries and its packages.

Standard library alone, as ``landlock``. Paths that are not there do no harm.
"""

from __future__ import annotations

import functools
import glob
import os
import sys
from collections.abc import Iterator

from mlestar_jupyter.execution import landlock

_SYSTEM = (
    *("/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin", "/opt"),
    *("/nix/store", "/gnu/store", "/proc", "/var/cache/fontconfig"),
    *("/sys/bus", "/sys/class", "/sys/devices", "/sys/fs/cgroup", "/sys/kernel/mm", "/sys/module"),
)
# Of /etc only what is needed: passwords, keys and certificates of the machine lie there too.
_ETC = (
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ld.so.preload", "nsswitch.conf", "passwd"),
    *("group", "hosts", "host.conf", "resolv.conf", "services", "protocols", "localtime"),
    *("timezone", "default/locale", "locale.alias", "locale.conf", "os-release", "lsb-release"),
    *("debian_version", "redhat-release", "system-release", "alternatives", "mime.types", "magic"),
    *("fonts", "matplotlibrc", "ssl/certs", "ssl/cert.pem", "ssl/openssl.cnf", "ca-certificates"),
    *("ca-certificates.conf", "pki/tls/certs", "pki/tls/openssl.cnf", "pki/ca-trust"),
    *("crypto-policies", "OpenCL", "vulkan", "glvnd", "nvidia", "jupyter", "ipython", "python3*"),
    *("java*", "R", "static", "profiles/per-user"),
)
# Not of the whole prefix: an environment may have been made in a folder with other things.
_PREFIX = (
    *("bin", "lib", "lib32", "lib64", "libexec", "include", "share", "etc", "ssl", "nvvm"),
    *("targets", "pyvenv.cfg"),
)
_DEVICES = (
    *("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/nvidia*"),
    *("/dev/dri", "/dev/kfd", "/dev/dxg"),
)
_PACKAGES = ("site-packages", "dist-packages")
_MODULES = (".py", ".pyc", ".so", ".dist-info", ".egg-info", ".zip", ".egg", ".pth")


@functools.cache
def rules() -> tuple[tuple[str, int], ...]:
    """What may be done with which of these paths. A server that forks asks once, beforehand."""
    return (*_system(), *_python())


def _system() -> Iterator[tuple[str, int]]:
    for path in _SYSTEM:
        yield path, landlock.READ
    for name in _ETC:
        for path in glob.glob(f"/etc/{name}"):
            yield path, landlock.READ
    for name in _DEVICES:
        for path in glob.glob(name):
            yield path, landlock.DEVICE
    # Semaphores and shared memory of multiprocessing lie here, those of others too.
    yield "/dev/shm", landlock.SHARE


def _python() -> Iterator[tuple[str, int]]:
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    prefixes.add(os.path.dirname(os.path.dirname(os.path.realpath(sys.executable))))
    known = [os.path.join(prefix, name) for prefix in prefixes for name in _PREFIX]
    yield from ((path, landlock.READ) for path in known)
    yield sys.executable, landlock.READ
    for path in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep):
        if os.path.basename(path.rstrip("/")).startswith("lib"):
            yield path, landlock.READ
    for path in sys.path:
        if not os.path.isabs(path) or path.startswith(tuple(f"{folder}/" for folder in known)):
            continue
        if os.path.basename(path) in _PACKAGES or os.path.isfile(path):
            yield path, landlock.READ
        else:
            yield from _modules(path)


def _modules(folder: str) -> Iterator[tuple[str, int]]:
    """Of a folder with more in it, perhaps data and runs, what can be imported."""
    yield folder, landlock.LIST
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.name.endswith(_MODULES) or os.path.isfile(os.path.join(entry, "__init__.py")):
            yield entry.path, landlock.READ
