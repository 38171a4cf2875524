"""A process that has executed the first cells of a notebook, and is forked to go on from there.

A live ipykernel has a dozen threads and cannot be forked. So the cells are executed in the shell
of a kernel that is not connected; what they say is kept. Then the process makes sure that a fork
of it equals it, or tells why not, and waits. A fork becomes an ordinary kernel with that shell.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import io
import json
import os
import random
import re
import signal
import stat
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlestar_jupyter.execution.kernel_process import adopt_orphans
from mlestar_jupyter.execution.wire import Line

_OPENMP = re.compile(r"/(libgomp|libomp|libiomp5)[^/]*\.so[^/]*$")
_RELEASE_ALL = 2  # omp_pause_hard
_MOST_OUTPUT = 20_000_000  # characters that the cells may have said
# Threads without a name of their own, or with one of these, cannot be told from those that matter.
_IDLE_THREADS = ("jemalloc_bg_thd", "polars-ooc")
_SETTLE_SECONDS = 0.2
_MOST_ITEMS = 1000  # of a container that is searched for paths

_relays: list[_Relay] = []
_arrow_threads: tuple[int, int] | None = None

Start = Callable[[dict[str, Any], list[int], int, Any], None]


class _Relay(io.TextIOBase):
    """Stands for sys.stdout or sys.stderr: keeps what is written, and later passes it on.

    Whatever took hold of the stream, such as a handler of a logger, can go on writing to it.
    """

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, name: str, kept: list[dict[str, Any]]) -> None:
        super().__init__()
        self.target: Any = None
        self._name = name
        self._kept = kept

    def write(self, text: str) -> int:
        """Keep the text with what was said just before, if that was of this stream."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text)}")
        if self.target is not None:
            return int(self.target.write(text) or len(text))
        last = self._kept[-1] if self._kept else None
        if last is not None and last["type"] == "stream" and last["content"]["name"] == self._name:
            last["content"]["text"] += text
        else:
            self._kept.append({"type": "stream", "content": {"name": self._name, "text": text}})
        return len(text)

    def flush(self) -> None:
        """Pass on at once, when there is somebody to pass on to."""
        if self.target is not None:
            self.target.flush()

    def writable(self) -> bool:
        """It is there to be written to."""
        return True


def park(order: dict[str, Any], line: Line, server: int, state: Any, start: Start) -> None:
    """Execute the cells of the order, report, and fork when asked. Never returns."""
    files, generators, handlers = _open_files(), _generators(), _handlers()
    if state is not None:
        random.setstate(state)
    written = os.fstat(1).st_size
    cells, failed = _execute(order["cells"], lambda number: line.send({"began": number}))
    seeded = state is not None or _generators() != generators
    printed = os.fstat(1).st_size != written
    if failed:
        hindrance = "a cell failed"
    else:
        hindrance = _hindrance(files, order)
        if printed:
            hindrance = hindrance or "a library printed past Python"
        if _handlers() != handlers:
            hindrance = hindrance or "a signal is handled"
        if seeded and state is None and not order["seeds"]:
            hindrance = hindrance or "something random was drawn without a seed"
    text = json.dumps(cells)
    if len(text) > _MOST_OUTPUT:
        hindrance = hindrance or "the cells said too much"
    Path(order["report"]).write_text(text, encoding="utf-8")
    line.send({"parked": hindrance})
    if hindrance:
        os._exit(0)
    gc.collect()
    gc.freeze()
    adopt_orphans(False)  # what we fork must become the server's child
    state = random.getstate() if seeded else None
    changed = _changed(order["environment"])
    while (wanted := line.receive()) is not None:
        came = line.take_files()
        environment = {**wanted["environment"], **changed}
        wanted["environment"] = {k: v for k, v in environment.items() if v is not None}
        pid = _fork_away(wanted, came, line, server, state, start)
        for file in came:
            os.close(file)
        line.send({"pid": pid})
    os._exit(0)


def _fork_away(
    order: dict[str, Any], files: list[int], line: Line, server: int, state: Any, start: Start
) -> int:
    """Fork a process whose parent is the server, as soon as the one between has ended."""
    ours, theirs = os.pipe()
    waits, goes = os.pipe()
    between = os.fork()
    if between == 0:
        try:
            pid = os.fork()
            if pid == 0:
                # Not before its parent has changed for good: while the one between is ending, it
                # would still take what it ends with, if that was set, for its own end.
                os.close(goes)
                os.read(waits, 1)
                for file in (line.fileno(), ours, theirs, waits):
                    os.close(file)
                _reopen(keep={0, 1, 2, *files})
                start(order, files, server, state)
            os.write(theirs, str(pid).encode())
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(0)
    os.close(theirs)
    pid = int(os.read(ours, 20) or b"-1")
    os.waitpid(between, 0)
    os.write(goes, b"1")
    for file in (ours, waits, goes):
        os.close(file)
    return pid


def go_on(app: Any, state: Any) -> None:
    """In a kernel that has just been initialised: go on where the shell was left, if it was."""
    if not _relays:
        return
    shell = app.kernel.shell
    shell.kernel = shell.parent = app.kernel
    shell.user_ns["_dh"] = [os.getcwd()]
    for relay, stream in zip(_relays, (sys.stdout, sys.stderr), strict=True):
        relay.target = stream
    if _arrow_threads is not None:
        pyarrow = sys.modules["pyarrow"]
        pyarrow.set_cpu_count(_arrow_threads[0])
        pyarrow.set_io_thread_count(_arrow_threads[1])
    if state is not None:

        def restore(*_: Any) -> None:
            # A fork, and the kernel's start, draw from it.
            random.setstate(state)
            shell.events.unregister("pre_run_cell", restore)

        shell.events.register("pre_run_cell", restore)


def _execute(cells: list[str], tell: Callable[[int], None]) -> tuple[list[dict[str, Any]], bool]:
    """Execute the cells in the shell: what each of them said, and whether one failed."""
    kept: list[dict[str, Any]] = []
    shell = _shell(kept)
    streams = sys.stdout, sys.stderr
    if not _relays:
        _relays.extend((_Relay("stdout", kept), _Relay("stderr", kept)))
    for relay in _relays:
        relay.target, relay._kept = None, kept
    sys.stdout, sys.stderr = _relays
    done: list[dict[str, Any]] = []
    try:
        for number, source in enumerate(cells):
            tell(number)
            kept.clear()
            began = time.monotonic()
            result = shell.run_cell(source, store_history=True)
            seconds = time.monotonic() - began
            done.append({"count": result.execution_count, "seconds": seconds, "said": list(kept)})
            shell.payload_manager.clear_payload()
            if not result.success:
                return done, True
    finally:
        sys.stdout, sys.stderr = streams
    return done, False


def _shell(kept: list[dict[str, Any]]) -> Any:
    """The shell of a kernel, which says what it has to say to ``kept``."""
    from ipykernel.compiler import XCachingCompiler
    from ipykernel.zmqshell import ZMQInteractiveShell
    from jupyter_client.session import Session
    from traitlets.config import Config

    class Listening(Session):
        """Keeps what would be sent."""

        def send(self, *arguments: Any, **options: Any) -> Any:
            message = _message(self, *arguments, **options)
            kept.append({"type": message["header"]["msg_type"], "content": message["content"]})
            return message

    if ZMQInteractiveShell.initialized():
        shell = ZMQInteractiveShell.instance()
    else:
        # As ipykernel does; ``sys.path`` begins with the folder of the notebook.
        sys.path.insert(0, "")
        config = Config()
        config.HistoryManager.enabled = False
        config.HistoryManager.hist_file = ":memory:"
        shell = ZMQInteractiveShell.instance(
            config=config, user_ns={}, compiler_class=XCachingCompiler
        )
    session = Listening()
    publishers: tuple[Any, Any] = (shell.displayhook, shell.display_pub)
    for publisher in publishers:
        publisher.session = session
        publisher.pub_socket = object()
    return shell


def _message(session: Any, _: Any, given: Any, content: Any = None, **options: Any) -> Any:
    """The message that ``Session.send`` would send: given as one, or as its type and content."""
    del options
    return given if isinstance(given, dict) else session.msg(given, content=content)


def _generators() -> object:
    """The state of the generators that everybody shares."""
    numpy = sys.modules.get("numpy")
    legacy = None if numpy is None else numpy.random.get_state()
    return random.getstate(), None if legacy is None else (legacy[1].tobytes(), *legacy[2:])


def _handlers() -> list[Any]:
    numbers = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
    return [signal.getsignal(number) for number in sorted(numbers)]


def _changed(environment: dict[str, str]) -> dict[str, str | None]:
    """The variables that the cells have set, and (None) those that they took away."""
    changed: dict[str, str | None] = {
        name: value for name, value in os.environ.items() if environment.get(name) != value
    }
    return changed | {name: None for name in environment if name not in os.environ}


def _hindrance(files: set[int], order: dict[str, Any]) -> str:
    """Why a fork of this process would not equal it; "" when it would. Makes it so if it can."""
    _end_workers()
    _pause_openmp()
    gc.collect()
    if os.getcwd() != order["work"]:
        return "the working folder was changed"
    # A fork has folders of its own for these.
    home, temporary = (Path(order["environment"].get(name, "/")) for name in ("HOME", "TMPDIR"))
    if any(temporary.iterdir()) or (home.parent == temporary.parent and any(home.iterdir())):
        return "files were left outside of the working folder"
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass  # it had ended
        return "processes were started"
    if signal.getitimer(signal.ITIMER_REAL)[0]:
        return "an alarm is set"
    return _threads() or _files(files) or _maps() or _comms() or _paths(order["work"])


def _end_workers() -> None:
    """Joblib keeps its workers for the next time; they would be shared by all forks."""
    executors = sys.modules.get("joblib.externals.loky.reusable_executor")
    executor = getattr(executors, "_executor", None)
    if executor is not None:
        executor.shutdown(wait=True, kill_workers=True)
    # So would be the processes that look after shared memory; they are started again when needed.
    for name in ("joblib.externals.loky.backend", "multiprocessing"):
        tracker = getattr(sys.modules.get(f"{name}.resource_tracker"), "_resource_tracker", None)
        with contextlib.suppress(Exception):
            tracker._stop()  # type: ignore[union-attr]


def _pause_openmp() -> None:
    """Let every OpenMP runtime give back its threads: a fork would wait for them for ever."""
    maps = Path("/proc/self/maps").read_text().splitlines()
    for path in {line.split()[-1] for line in maps if _OPENMP.search(line)}:
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(path).omp_pause_resource_all(_RELEASE_ALL)


def _threads() -> str:
    """What other threads there are."""
    python = [t.name for t in threading.enumerate() if t is not threading.main_thread()]
    if python:
        return f"a thread is at work: {python[0]}"
    most = _shrink_arrow()
    until = time.monotonic() + _SETTLE_SECONDS
    while True:
        names = _thread_names()
        others = [name for name in names if not name.startswith(_IDLE_THREADS)]
        named = [name for name in others if name != _own_name()]
        if not named and len(others) <= most:
            return ""
        if time.monotonic() > until:
            return f"threads of a library are at work: {(named or others)[0]}"
        time.sleep(0.01)


def _own_name() -> str:
    """The name that threads have which were not given one."""
    return Path("/proc/self/comm").read_text().strip()


def _thread_names() -> list[str]:
    names = []
    for task in Path("/proc/self/task").iterdir():
        if task.name != str(os.getpid()):
            with contextlib.suppress(OSError):  # it has ended
                names.append((task / "comm").read_text().strip())
    return names


def _shrink_arrow() -> int:
    """How many threads Arrow keeps at the least. It makes its pools anew in a fork."""
    global _arrow_threads
    pyarrow = sys.modules.get("pyarrow")
    if pyarrow is None:
        return 0
    _arrow_threads = _arrow_threads or (pyarrow.cpu_count(), pyarrow.io_thread_count())
    pyarrow.set_cpu_count(1)
    pyarrow.set_io_thread_count(1)
    return 2


def _open_files() -> set[int]:
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # that of the listing itself
            os.fstat(int(name))
            found.add(int(name))
    return found


def _files(before: set[int]) -> str:
    """What is open that cannot be shared: all but regular files that are only read."""
    for file in sorted(_open_files() - before):
        target, mode = os.readlink(f"/proc/self/fd/{file}"), os.fstat(file).st_mode
        flags = fcntl.fcntl(file, fcntl.F_GETFL)
        is_read = flags & os.O_ACCMODE == os.O_RDONLY
        if stat.S_ISREG(mode) and is_read and os.path.exists(target):
            continue
        if target in ("/dev/null", "/dev/urandom", "/dev/random") or target.startswith("/proc/"):
            continue
        return f"{target} is open"
    return ""


def _reopen(keep: set[int]) -> None:
    """Give this process positions of its own in the files that it reads."""
    for file in _open_files() - keep:
        with contextlib.suppress(OSError):
            flags = fcntl.fcntl(file, fcntl.F_GETFL)
            if stat.S_ISREG(os.fstat(file).st_mode) and flags & os.O_ACCMODE == os.O_RDONLY:
                position = os.lseek(file, 0, os.SEEK_CUR)
                again = os.open(os.readlink(f"/proc/self/fd/{file}"), os.O_RDONLY | os.O_CLOEXEC)
                os.lseek(again, position, os.SEEK_SET)
                os.dup2(again, file, inheritable=False)
                os.close(again)


def _maps() -> str:
    """Whether memory is shared with others, and written to."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        fields = line.split(maxsplit=5)
        permissions, path = fields[1], fields[5] if len(fields) > 5 else ""
        if permissions[1] == "w" and permissions[3] == "s" and path and path != "/dev/zero":
            return f"{path} is mapped"
    return ""


def _comms() -> str:
    comm = sys.modules.get("comm")
    if comm is not None and comm.get_comm_manager().comms:
        return "widgets are shown"
    return ""


def _paths(work: str) -> str:
    """Whether a variable names this process' own folder, which is not that of its forks."""
    from ipykernel.zmqshell import ZMQInteractiveShell

    shell = ZMQInteractiveShell.instance()
    folder = str(Path(work).parent)
    hidden = {*shell.user_ns_hidden, "In", "Out", "_dh"}
    for name, value in shell.user_ns.items():
        if name not in hidden and _names(value, folder, depth=3):
            return f"{name} holds the path of the working folder"
    return ""


def _names(value: Any, folder: str, depth: int) -> bool:
    if isinstance(value, str | os.PathLike):
        return folder in str(value)
    if type(value).__module__ == "__main__" and hasattr(value, "__dict__"):
        value = vars(value)
    if depth == 0 or not isinstance(value, list | tuple | set | dict) or len(value) > _MOST_ITEMS:
        return False
    parts = [*value.keys(), *value.values()] if isinstance(value, dict) else value
    return any(_names(part, folder, depth - 1) for part in parts)
