"""The command line: ``mlestar run|resume|status|cost|export|unseal|demo|key|doctor``."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

_BEGAN = time.monotonic()  # the user's clock starts before the heavy imports

from mlestar_jupyter._version import __version__  # noqa: E402
from mlestar_jupyter.errors import BudgetError, MlestarError  # noqa: E402
from mlestar_jupyter.options import (  # noqa: E402
    Parser,
    add_settings_options,
    add_task_options,
    dollars,
    seconds,
    to_overrides,
    to_settings,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code: 0 done, 1 out of time, 2 bad input, 130 ^C."""
    signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        arguments = build_parser().parse_args(argv)
        command: Callable[[Any], int] = arguments.command
        return command(arguments)
    except MlestarError as error:
        print(f"mlestar: {error}", file=sys.stderr)
        return 1 if isinstance(error, BudgetError) else 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
    except OSError as error:
        where = error.filename or "a file"
        print(f"mlestar: cannot use {where}: {error.strerror}; check the path", file=sys.stderr)
        return 2


def build_parser() -> Parser:
    """The parser of all commands."""
    parser = Parser(prog="mlestar", description="MLE-STAR: from a task to a finished notebook.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)

    run = commands.add_parser("run", help="solve a task, from its folder or one table")
    run.add_argument("task", type=Path, help="folder with train and test, or one table")
    run.add_argument("--out", type=Path, metavar="DIR", help="the run folder")
    run.add_argument("--description", default="", help="the task in your words")
    add_task_options(run)
    add_settings_options(run)
    run.set_defaults(command=_run)

    resume = commands.add_parser("resume", help="go on with a run that was cut off or stopped")
    resume.add_argument("folder", type=Path)
    resume.add_argument("--time", type=seconds, metavar="TIME", help="new limit of the whole run")
    resume.add_argument("--cost", type=dollars, metavar="DOLLARS", help="and of what it pays")
    resume.add_argument("--dask", metavar="ADDRESS", help="another cluster; off: this machine")
    resume.set_defaults(command=_resume)

    status = commands.add_parser("status", help="where a run stands, and its best candidates")
    status.add_argument("folder", type=Path)
    status.set_defaults(command=_status)

    cost = commands.add_parser("cost", help="where the time and the money of a run went")
    cost.add_argument("folder", type=Path)
    cost.set_defaults(command=_cost)

    export = commands.add_parser("export", help="a solution as notebook, script, report or folder")
    export.add_argument("folder", type=Path)
    export.add_argument("path", help="ends in .ipynb, .py, .html, or in / for a folder")
    export.add_argument("--candidate", metavar="ID", help="another one than was delivered")
    export.add_argument("--time", type=seconds, default=300.0, metavar="TIME")
    export.add_argument("--no-verify", action="store_true", help="write it without executing it")
    export.set_defaults(command=_export)

    unseal = commands.add_parser("unseal", help="grade the best on the sealed rows, once")
    unseal.add_argument("folder", type=Path)
    unseal.add_argument("--time", type=seconds, default=300.0, metavar="TIME")
    unseal.set_defaults(command=_unseal)

    demo = commands.add_parser("demo", help="a whole run in a minute, on data that ships with us")
    demo.add_argument("--out", type=Path, default=Path("mlestar_demo"), metavar="DIR")
    demo.add_argument("--time", type=seconds, default=60.0, metavar="TIME")
    demo.set_defaults(command=_demo)

    key = commands.add_parser("key", help="keep a key in your keyring, or forget it")
    key.add_argument("what", choices=["set", "forget"])
    key.add_argument("provider", choices=["gemini", "openai"], nargs="?", default="gemini")
    key.set_defaults(command=_key)

    doctor = commands.add_parser("doctor", help="what works on this machine")
    doctor.set_defaults(command=_doctor)
    return parser


def _run(arguments: Any) -> int:
    from mlestar_jupyter.api import Given
    from mlestar_jupyter.session import Session
    from mlestar_jupyter.terminal import Progress

    values = vars(arguments)
    settings = to_settings(values)
    given = Given(
        arguments.task,
        description=arguments.description,
        overrides=to_overrides(values),
        out=arguments.out,
    )
    task, frames, folder = given.understand()
    if values["dry_run"]:
        from mlestar_jupyter import accounts, report

        print(f"{report.pairs(task.describe())}\n\n{accounts.expected(task, settings)}")
        return 0
    progress = Progress(settings.seconds)
    with Session.start(task, settings, folder, began=_BEGAN, frames=frames) as session:
        progress.follow(session)
    return _results(session.run)


def _resume(arguments: Any) -> int:
    from mlestar_jupyter import report
    from mlestar_jupyter.session import Session, open_run
    from mlestar_jupyter.terminal import Progress

    run = open_run(arguments.folder)
    limits = {"seconds": arguments.time, "cost": arguments.cost}
    if run.state.ended == "finished" and not any(limits.values()):
        print("this run is finished; give it more time with --time to search on")
        print(f"{report.status(run)}\n{report.delivered(run)}")
        return 0
    with Session.resume(arguments.folder, **limits, dask=arguments.dask) as session:
        Progress(session.run.settings.seconds).follow(session)
    return _results(session.run)


def _results(run: Any) -> int:
    """Print the table of scores and where everything lies."""
    from mlestar_jupyter import report

    parts = [report.status(run), report.score_table(run), report.delivered(run)]
    print("\n" + "\n\n".join(part for part in parts if part))
    return 0


def _status(arguments: Any) -> int:
    from mlestar_jupyter.session import open_run

    return _results(open_run(arguments.folder))


def _cost(arguments: Any) -> int:
    from mlestar_jupyter import accounts
    from mlestar_jupyter.session import open_run

    print(accounts.text(open_run(arguments.folder)))
    return 0


def _export(arguments: Any) -> int:
    from mlestar_jupyter.executors import make_executor
    from mlestar_jupyter.exporting import export
    from mlestar_jupyter.session import open_run

    run = open_run(arguments.folder)
    executor = make_executor(run.settings)
    try:
        done = export(
            run,
            arguments.path,
            arguments.candidate,
            executor=executor,
            seconds=arguments.time,
            verify=not arguments.no_verify,
        )
    finally:
        executor.close()
    print(f"exported as {done.form} to {done.path}")
    if done.form == "folder":
        print(f"files: {', '.join(done.files)}")
    print(f"{done.verdict}: {done.detail}")
    return 1 if done.verdict == "differs" else 0


def _unseal(arguments: Any) -> int:
    from mlestar_jupyter.score import format_number
    from mlestar_jupyter.session import Session

    with Session.resume(arguments.folder) as session:
        session.extend(arguments.time)
        value, optimism = session.unseal()
        metric = session.run.task.metric.name
    print(
        f"sealed {metric} {format_number(value)}; validation was {format_number(optimism)} better"
    )
    return 0


def _demo(arguments: Any) -> int:
    from mlestar_jupyter.api import new_folder
    from mlestar_jupyter.demo import write_demo_task
    from mlestar_jupyter.settings import Settings

    Settings(seconds=arguments.time)  # said before anything is written
    task = write_demo_task(arguments.out / "task")
    print(f"the demo's task lies in {task}")
    out = new_folder("run", arguments.out)
    return main(["run", str(task), "--out", str(out), "--time", f"{arguments.time}s"])


def _key(arguments: Any) -> int:
    from getpass import getpass

    from mlestar_jupyter.agents.llm.keys import forget_key, keep_key

    provider = arguments.provider
    if arguments.what == "forget":
        was_there = forget_key(provider)
        print(f"the key for {provider} is forgotten" if was_there else "there was no key to forget")
        return 0
    # Asked for and not an argument: those stand in the shell's history and in lists of processes.
    keep_key(provider, getpass(f"key for {provider} (it is not shown): "))
    print(f"kept in your keyring; use it with --agents {provider}")
    return 0


def _doctor(_: Any) -> int:
    from mlestar_jupyter import doctor, report

    checks = doctor.examine()
    print(report.table(["", "what", "found"], [[c.mark, c.what, c.found] for c in checks]))
    return 0 if all(c.works for c in checks) else 1


def _as_interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
