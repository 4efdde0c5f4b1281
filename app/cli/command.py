"""The command of a loop, made of its `Loop` and what is its own: how it is told on a terminal, and its page.

From the config model come the flags; from the carriage the run folder, progress, resuming, the report and the exit code. A command says
which loop it is of and how its results are put into words; everything else has a default that serves any loop.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ...runtime.budget import Budget
from ...runtime.errors import BadInput
from ...runtime.folder import RunFolder, RunResult, discarded_if_refused
from ...runtime.records import Record, flags_checked
from ...runtime.session import RunConfig
from ...runtime.settings import Settings
from ...runtime.storage import write_whole
from ...runtime.store import BlobStore, StoreLocation
from ..report import DEFAULT_LIMIT, run_page
from .failures import BUDGET
from .flags import STORE_FLAGS, add_flags, add_store_flags, flag_names, given_flags
from .format import amount, seconds
from .progress import Progress, RunView, progress
from .session import kept, log_to_stderr
from .streams import json_text, printable

if TYPE_CHECKING:
    from ...runtime.run import Loop

__all__ = ["LoopCommand"]


ConfigT = TypeVar("ConfigT", bound=RunConfig)
ResultT = TypeVar("ResultT", bound=RunResult[Any])


def _no_further_flags(parser: argparse.ArgumentParser) -> None:
    return None


def _no_further_fields(args: argparse.Namespace) -> Mapping[str, Any]:
    return {}


def _a_run(args: argparse.Namespace) -> int | None:
    return None


def _nothing_beside(result: Any, folder: RunFolder, blobs: BlobStore) -> Mapping[str, Path]:
    return {}


def _nothing_brought(config: Any, folder: RunFolder, blobs: BlobStore) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, kw_only=True)
class LoopCommand(Generic[ConfigT, ResultT]):
    """One command.

    Args:
        config: the loop's config; importing it must not import LangGraph, for `--help` does.
        loop: gives the loop, when it is run.
        about: what --help says above the flags.
        words: the result as lines for a terminal; `bold` where it is one.
        data: what `--json` says besides what is said of every run.
        page: the HTML report; by default one that serves any loop.
        view: what is shown while the run works.
        flags: adds flags that are no fields of the config; `fields` turns them into fields.
        settings: settings that have a flag here, besides those that fill the config.
        instead: something else that the flags may ask for, and its exit code; None: a run.
        export: writes what lies in the run's folder beside result and report; the paths by name.
        pictures: writes the pictures that a result offers into a folder, each with what it was made by, for `inloop export --pictures`.
        parts: what the terminal brings to a run, by the name of the option: a `reviewer` who is asked between its steps.
        dry_run: what would be done, as a record and, by its `str`, in words; gives the command `--dry-run`.
        exit_code: 0 or 1 where no budget stopped the run.
    """

    config: type[ConfigT]
    loop: Callable[[], Loop[ConfigT, Any, Any, Any, ResultT]]
    about: str
    words: Callable[[ResultT, bool], list[str]]
    data: Callable[[ResultT], Mapping[str, Any]]
    page: Callable[[ResultT, BlobStore, int], str] = run_page
    view: Callable[[ConfigT], RunView]
    flags: Callable[[argparse.ArgumentParser], None] = _no_further_flags
    fields: Callable[[argparse.Namespace], Mapping[str, Any]] = _no_further_fields
    instead: Callable[[argparse.Namespace], int | None] = _a_run
    settings: tuple[str, ...] = ("device", "llm_rate", "llm_price", "engine")
    export: Callable[[ResultT, RunFolder, BlobStore], Mapping[str, Path]] = _nothing_beside
    pictures: Callable[[ResultT, BlobStore, Path], list[Path]] | None = None
    parts: Callable[[ConfigT, RunFolder, BlobStore], Mapping[str, Any]] = _nothing_brought
    dry_run: Callable[[ConfigT, Settings], Record] | None = None
    exit_code: Callable[[ResultT], int] = lambda result: 0

    def describe(self, parser: argparse.ArgumentParser) -> None:
        """Give the parser of the command its flags."""
        parser.description = self.about
        add_flags(parser, self.config, subject=self.config.SUBJECT)
        self.flags(parser)
        for name in self.settings:
            parser.add_argument(f"--{name.replace('_', '-')}", metavar=name.upper(), help=Settings.describe(name))
        add_store_flags(parser)
        if "out" not in self.config.model_fields:
            parser.add_argument(
                "--out", metavar="DIR", help="the folder in which the run's folder is made (default: runs)"
            )
        if self.dry_run is not None:
            parser.add_argument("--dry-run", action="store_true", help="say what would be done and paid; nothing is")

    def run(self, args: argparse.Namespace) -> int:
        """Run it from its flags; the exit code."""
        if (code := self.instead(args)) is not None:
            return code
        config, settings = self.configured(args)
        loop = self.loop()
        loop.inputs(config)
        if self.dry_run is not None and args.dry_run:
            plan = self.dry_run(config, settings)
            print(json_text(plan.model_dump(mode="json")) if args.json else plan)
            return 0
        new = RunFolder.create(
            settings.runs_dir, loop.name, config, about=config.topics(), store=StoreLocation.named_by(settings)
        )
        with discarded_if_refused(new) as folder:
            if settings.engine == "folder":
                return self._begin(config, settings, folder, json_output=args.json)
            return self._carry(config, settings, folder, resumed=False, json_output=args.json)

    def configured(self, args: argparse.Namespace) -> tuple[ConfigT, Settings]:
        """The config and the settings that the flags give; `BadInput` for values that cannot be."""
        fields = {**given_flags(args, self.config), **self.fields(args)}
        flags = {name: fields[name] for name in self.config.FROM_SETTINGS if name in fields}
        flags |= {name: getattr(args, name) for name in (*self.settings, *STORE_FLAGS)}
        settings = Settings.load(runs_dir=None if "out" in self.config.model_fields else args.out, **flags)
        with flags_checked(flag_names(self.config)):
            config = self.config(**{**self.config.defaults(settings), **fields})
        Budget.parse(config.budget)
        return config, settings

    def resume(self, folder: RunFolder, settings: Settings, *, json_output: bool) -> int:
        """Go on with a run; of a finished one the result is shown again."""
        config, settings = self._as_begun(folder, settings)
        return self._carry(config, settings, folder, resumed=True, json_output=json_output)

    def work(self, folder: RunFolder, settings: Settings, *, json_output: bool, **options: Any) -> int:
        """Be one of the workers on a run, until it is finished; `options` as of `SharedWorker`."""
        config, settings = self._as_begun(folder, settings)
        return self._carry(config, settings, folder, resumed=True, json_output=json_output, worker=options)

    def _as_begun(self, folder: RunFolder, settings: Settings) -> tuple[ConfigT, Settings]:
        """The config of a run and its own models: today's flags and environment must not change it."""
        config = folder.config_as(self.config)
        own = {name: getattr(config, name) for name in self.config.FROM_SETTINGS if name in Settings.model_fields}
        return config, settings.model_copy(update=own)

    def _begin(self, config: ConfigT, settings: Settings, folder: RunFolder, *, json_output: bool) -> int:
        """Leave a run to workers; the standard output names it for `inloop work`."""
        self.loop().begin_shared(config, folder, settings)
        if json_output:
            print(json_text({"run_id": folder.id, "path": str(folder.path), "work": folder.work_command}))
        else:
            print(
                f"inloop: the run is begun; work on it, in as many processes as you like: {folder.work_command}",
                file=sys.stderr,
            )
            print(folder.path)
        return 0

    def report(self, folder: RunFolder, blobs: BlobStore, *, limit: int) -> str:
        """The HTML report of a finished run."""
        return self.page(folder.result_as(self.loop().result), blobs, limit)

    def export_pictures(self, folder: RunFolder, blobs: BlobStore, to: Path) -> list[Path]:
        """Write the pictures of a finished run; `BadInput` where its loop has none to offer."""
        if self.pictures is None:
            raise BadInput(
                f"the run {folder.id!r} is of {folder.loop!r}, which offers no pictures: leave --pictures out."
            )
        return self.pictures(folder.result_as(self.loop().result), blobs, to)

    def _carry(
        self,
        config: ConfigT,
        settings: Settings,
        folder: RunFolder,
        *,
        resumed: bool,
        json_output: bool,
        worker: Mapping[str, Any] | None = None,
    ) -> int:
        from ...runtime.run import carry, engine_of

        log_to_stderr(settings)
        view, loop = self.view(config), self.loop()
        again = folder.resume_command if worker is None else folder.work_command
        with kept(folder, begun=lambda: view.begun, quiet=json_output, again=again):
            blobs = StoreLocation.named_by(settings).open_blobs()
            parts = self.parts(config, folder, blobs)
            if worker is not None and "reviewer" in parts:  # a person sits where the run was begun, or at the viewer
                parts = {**parts, "reviewer": _elsewhere}
            # where somebody types, a table that draws itself again would be in the way
            seen = Progress(view)
            with progress(view, sys.stderr, silent=json_output, plain=bool(parts)) as show:
                own = (
                    None
                    if worker is None
                    else loop.worker(config, folder, settings, listen=show, history=seen, **worker)
                )
                work = carry(
                    loop, config, folder=folder, settings=settings, on_event=show, history=seen, parts=parts, resumed=resumed,
                    engine=engine_of(settings.engine) if own is None else None, worker=own,
                )  # fmt: skip
                result = asyncio.run(work)
            if own is None or own.concluded:
                beside = self.export(result, folder, blobs)
                write_whole(folder.report_path, self.page(result, blobs, DEFAULT_LIMIT).encode("utf-8"))
            else:  # the worker that made the result writes them
                beside = {}
        if json_output:
            paths = {name: str(path) for name, path in beside.items()}
            print(json_text(_as_json(result, folder) | paths | dict(self.data(result))))
        elif own is not None:
            print(
                f"{folder.id} is finished: {result.finding()}\n  result   {folder.path / 'result.json'}\n  report   inloop report {folder.path}"
            )
        else:
            print("\n".join([*self.words(result, sys.stdout.isatty()), *_closing(result, folder, beside)]))
        return BUDGET if result.stopped else self.exit_code(result)


async def _elsewhere(question: Any) -> Any:
    """Answers nothing: somebody else does, into the store."""
    await asyncio.Event().wait()


def _as_json(result: RunResult[Any], folder: RunFolder) -> dict[str, Any]:
    """What a script needs of any run; everything else is in `result.json`, whose path is here."""
    return {
        "run_id": result.run_id,
        "path": str(folder.path),
        "report": str(folder.report_path),
        "result": str(folder.path / "result.json"),
        "resume": folder.resume_command,
        "seconds": result.seconds,
        "stopped_by_budget": bool(result.stopped),
        "failed": result.failed,
        "cost": result.cost.model_dump(mode="json"),
        "calls": result.calls,
        "models": result.models,
        "notes": list(result.notes),
    }


def _closing(result: RunResult[Any], folder: RunFolder, beside: Mapping[str, Path]) -> list[str]:
    """The lines under every result: what failed, what to know, what it cost, and where everything is."""
    paid = ", ".join(f"{amount(count.get('paid', 0))} {kind}" for kind, count in result.calls.items())
    reused = sum(count.get("reused", 0) for count in result.calls.values())
    money = "price unknown" if result.cost.money is None else f"{result.cost.money:.4g} US$"
    return [
        *(f"  failed: {id}: {printable(why)}" for id, why in result.failed.items()),
        *(f"  note: {printable(note)}" for note in result.notes),
        f"  calls    {paid or 'none'} ({amount(reused)} reused), {money}, {seconds(result.seconds)}",
        *(f"  {name:<8} {path}" for name, path in beside.items()),
        f"  report   {folder.report_path}",
        f"  resume   {folder.resume_command}",
    ]
