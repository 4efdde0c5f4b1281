"""The commands of `inloop`: their names, one line about each, and where they are.

The command of a loop is a `LoopCommand`; any other is a function that takes the parsed arguments and gives the exit code, with the
module's `add_arguments` beside it. Only the module of the command that is called is imported, so that `inloop --help` answers at once.

A package adds a loop with its command by an entry point of the group `inloop.loops` (a `Loop`, or a `LoopCommand`), and any other
command by one of `inloop.commands`: an object or a module with `describe(parser)` and `run(args) -> int`.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NoReturn

from ...runtime.errors import BadInput
from ...runtime.registry import Registry

__all__ = ["COMMANDS", "PARTS", "Command", "PackageCommand", "commands", "parser"]

_EPILOG = """exit codes: 0 done · 1 failed · 2 bad input · 3 something is missing (the message says what to do)
            4 stopped by a budget, with a result · 130 interrupted, can be resumed

Settings come from flags, then INLOOP_* variables, then inloop.toml, then defaults; `inloop config` shows them."""


@dataclass(frozen=True)
class Command:
    """One command: `function` of `module` is a `LoopCommand` or runs it; `arguments` of `module` (none: "") describes what it takes.

    `loop`: the name of the loop whose runs it resumes and draws.
    """

    brief: str
    module: str
    function: str
    arguments: str = "add_arguments"
    loop: str = ""

    def run(self, args: argparse.Namespace) -> int:
        """Run it; the exit code."""
        entry = self.imported()
        code: int = entry.run(args) if hasattr(entry, "describe") else entry(args)
        return code

    def describe(self, command: argparse.ArgumentParser) -> None:
        """Give the parser of the command what its module says of it."""
        entry = self.imported()
        if hasattr(entry, "describe"):
            entry.describe(command)
        elif self.arguments:
            module = self._module()
            describe = getattr(module, self.arguments)
            describe(command)
            command.description = (module if self.arguments == "add_arguments" else describe).__doc__

    def imported(self) -> Any:
        """The function or the `LoopCommand` itself."""
        return getattr(self._module(), self.function)

    def _module(self) -> ModuleType:
        return importlib.import_module(f"..{self.module}", __package__)


COMMANDS = {
    "opt2i": Command(
        "rewrite a text-to-image prompt until the pictures are right", "opt2i.command", "opt2i", loop="opt2i"
    ),
    "score": Command("score pictures against their prompts", "score.command", "score", loop="score"),
    "search": Command(
        "better a text of any kind by what it does: a task of your own", "search.command", "search", loop="search"
    ),
    "curate": Command(
        "clean a picture data set: copies, leaks, groups, captions", "curate.command", "curate", loop="curate"
    ),
    "dedup": Command("near copies among millions of vectors in a file", "curate.dedup", "dedup"),
    "label": Command(
        "label pictures with boxes and masks; you are asked about what is doubtful",
        "label.command",
        "label",
        loop="label",
    ),
    "encoders": Command("compare encoders of pictures on your own labelled set", "encoders.command", "encoders"),
    "bias": Command(
        "what models look at: shape or texture, frequencies, noise, changes", "bias.command", "bias", loop="bias"
    ),
    "steer-vlm": Command(
        "the wording of a question that makes a vision-language model look at shape, or at texture",
        "steer.command",
        "steer_vlm",
        loop="steer_vlm",
    ),
    "select": Command("choose a few prompts, rows or pictures that stand for all", "curate.select", "select"),
    "certify": Command("recompute published figures from published raw answers", "score.certify", "certify"),
    "index": Command("bring a folder of documents into an index", "rag.index", "index", loop="index"),
    "ask": Command("an answer from an index, with citations that are checked", "rag.ask", "ask", loop="rag"),
    "eval-rag": Command(
        "how well an index finds what is relevant, and how true answers from it are", "rag.eval_rag", "eval_rag"
    ),
    "llm2llm": Command(
        "have a teacher write the rows that a small model gets wrong", "llm2llm.command", "llm2llm", loop="llm2llm"
    ),
    "capacity": Command(
        "whether facts fit a student, or are better looked up", "capacity.command", "capacity", loop="capacity"
    ),
    "rescore": Command(
        "judge the teacher's replies of a llm2llm run again, by other thresholds; nothing is asked anew",
        "llm2llm.rescore",
        "rescore",
    ),
    "vqa": Command("answer a question about a picture that needs knowledge", "promptcap.vqa", "vqa", loop="promptcap"),
    "vqa-eval": Command(
        "score answers to a VQA data set beside baselines, and say why they fail",
        "promptcap.vqa_eval",
        "vqa_eval",
        loop="vqa_eval",
    ),
    "promptcap": Command("captions for questions: make the data, train a captioner", "promptcap.command", "promptcap"),
    "resume": Command("go on with a run that was stopped or killed", "cli.runs", "resume", "add_resume_arguments"),
    "work": Command("be one of several processes at work on a run", "work.command", "work"),
    "report": Command("draw the report of a finished run again", "cli.runs", "report", "add_report_arguments"),
    "export": Command(
        "pack a finished run with its pictures into one file", "cli.runs", "export", "add_export_arguments"
    ),
    "view": Command("follow runs in a browser, compare, vote, and answer what they ask", "view.command", "view"),
    "votes": Command("what people voted on a run's pictures, and votes by mail", "view.votes", "votes"),
    "store": Command("check a store of calls and pictures, copy it, give up what is old", "store.command", "store"),
    "runs": Command("list the runs", "cli.runs", "runs", "add_runs_arguments"),
    "top": Command("see the runs that are being worked on, live", "top.command", "top"),
    "models": Command(
        "list, fetch and verify the models that inloop knows by name", "cli.models", "models", "add_models_arguments"
    ),
    "serve": Command(
        "serve a language model, or an index, on this machine behind the OpenAI API", "serving.serve", "serve"
    ),
    "bench-llm": Command("what a language model server can do, and how fast it is", "serving.bench_llm", "bench_llm"),
    "config": Command("show every setting and where its value comes from", "cli.models", "config", ""),
    "doctor": Command("check this machine and say what to do", "cli.doctor", "doctor", ""),
    "completion": Command(
        "print what makes a shell complete commands and flags",
        "cli.completion",
        "completion",
        "add_completion_arguments",
    ),
}

PARTS = (
    Command("", "rag.eval_rag", "retrieval", loop="retrieval_eval"),
    Command("", "promptcap.synthesize", "synthesize", loop="caption_synthesis"),
    Command("", "promptcap.train", "train", loop="caption_training"),
    Command("", "encoders.compare", "compare", loop="encoders"),
)
"""The loops behind a part of a command: of `inloop eval-rag`, of `inloop promptcap`, of `inloop encoders`."""


@dataclass(frozen=True)
class PackageCommand:
    """A command of an installed package, which is imported when the command is called. `loop`: as in `Command`."""

    name: str
    registry: Registry[Any]
    loop: str = ""

    @property
    def brief(self) -> str:
        """What is known of it without importing it."""
        return f"of the package {self.registry.packages[self.name]}"

    def run(self, args: argparse.Namespace) -> int:
        """Run it; the exit code."""
        code: int = self.imported().run(args)
        return code

    def describe(self, command: argparse.ArgumentParser) -> None:
        """Give the parser of the command what its package says of it."""
        self.imported().describe(command)

    def imported(self) -> Any:
        """The part itself."""
        return self.registry.find(self.name)


def _accept_loop(name: str, given: Any) -> Any:
    from .loops import command_of

    return command_of(name, given)


def _accept_command(name: str, given: Any) -> Any:
    lacking = [each for each in ("describe", "run") if not callable(getattr(given, each, None))]
    if lacking:
        raise BadInput(f"what is given as the command {name!r} has no {' and no '.join(lacking)}.")
    return given


LOOPS: Registry[Any] = Registry("loop", "inloop.loops", {}, accept=_accept_loop)
"""The loops of packages, each as its command."""
MORE_COMMANDS: Registry[Any] = Registry("command", "inloop.commands", {}, accept=_accept_command)
"""The other commands of packages."""


def commands() -> Mapping[str, Command | PackageCommand]:
    """All commands by name: inloop's own, which no package can take, then those of packages."""
    brought = {name.replace("_", "-"): PackageCommand(name, MORE_COMMANDS) for name in MORE_COMMANDS}
    brought |= {name.replace("_", "-"): PackageCommand(name, LOOPS, loop=name) for name in LOOPS}
    return {**COMMANDS, **{name: command for name, command in brought.items() if name not in COMMANDS}}


class _Parser(argparse.ArgumentParser):
    """What argparse refuses is bad input like any other, so that `--json` tells it too."""

    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message[:1].lower()}{message[1:].rstrip('.')}: `{self.prog} --help` shows what can be given.")


def parser(called: str | None = None) -> argparse.ArgumentParser:
    """The argument parser of `inloop`; of the commands only the one that is `called` knows its own arguments."""
    top = _Parser(
        prog="inloop",
        description="Puts a language model in the loop of vision-language work.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="store_true", help="print the version and exit")
    subparsers = top.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name, about in commands().items():
        command = subparsers.add_parser(
            name,
            help=about.brief,
            description=f"{about.brief[0].upper()}{about.brief[1:]}.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_argument("--json", action="store_true", help="one JSON object on the standard output")
        if name == called:
            about.describe(command)
    return top
