"""The command `inloop`: reads the arguments, calls the command, turns errors into exit codes.

Exit codes:

    0    done
    1    failed: a model call or the run itself gave nothing usable
    2    bad input: a flag, a prompt or a file that cannot be used
    3    prerequisite: something about the machine or the set-up is missing; the message says what to do
    4    a budget stopped the run before its own end; there is a result and a report
    130  interrupted; the run can be resumed

Nothing heavy is imported until a command needs it, so that `inloop --help` answers at once. With `--json` the standard
output is one JSON object, for errors too; progress and messages go to the standard error.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from ..runtime.errors import BadInput, InloopError, PrerequisiteError

__all__ = ["BAD_INPUT", "BUDGET", "FAILED", "INTERRUPTED", "OK", "PREREQUISITE", "main", "parser"]

OK, FAILED, BAD_INPUT, PREREQUISITE, BUDGET, INTERRUPTED = 0, 1, 2, 3, 4, 130

_EPILOG = """exit codes: 0 done · 1 failed · 2 bad input · 3 something is missing (the message says what to do)
            4 stopped by a budget, with a result · 130 interrupted, can be resumed

Settings come from flags, then INLOOP_* variables, then inloop.toml, then defaults; `inloop config` shows them."""

_OPT2I = """Rewrite a text-to-image prompt until the pictures show what it asks for.

A language model rewrites the prompt, a text-to-image model paints each rewrite, a visual question answering model
and a CLIP model score the pictures, and what scored better is fed back. The best prompt is then checked on seeds that
nothing was chosen on, beside baselines that get the same number of images."""


_SERVE = """Serve a language model on this machine, to be used with --llm URL.

vLLM serves it, from an environment of its own that --install makes; where vLLM has no place (Windows, macOS, little
memory) or with --engine embedded, llama.cpp does. The server listens on this machine alone and ends with the command,
unless --detach is given."""


def parser() -> argparse.ArgumentParser:
    """The argument parser of `inloop` with all commands."""
    top = argparse.ArgumentParser(
        prog="inloop",
        description="Puts a language model in the loop of vision-language work.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="store_true", help="print the version and exit")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    def add(name: str, brief: str, text: str | None = None) -> argparse.ArgumentParser:
        command = commands.add_parser(
            name,
            help=brief,
            description=text or f"{brief[0].upper()}{brief[1:]}.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_argument("--json", action="store_true", help="one JSON object on the standard output")
        return command

    def add_out(command: argparse.ArgumentParser, what: str) -> None:
        command.add_argument("--out", metavar="DIR", help=f"{what} (default: runs)")

    opt2i = add("opt2i", "rewrite a text-to-image prompt until the pictures are right", _OPT2I)
    opt2i.add_argument(
        "prompt", nargs="*", metavar="PROMPT", help="the prompt to better; several give several searches"
    )
    opt2i.add_argument("--prompts", metavar="FILE", help="a text file with one prompt a line; # starts a comment")
    models = opt2i.add_argument_group("models")
    models.add_argument(
        "--llm", metavar="LLM", help="mini-writer, smollm2, gguf:PATH, http://host:8000/v1[#model], openai:MODEL"
    )
    models.add_argument("--images", metavar="ID", help="text-to-image model: mini, a folder or a hub id")
    models.add_argument(
        "--vqa", metavar="ID", help="visual question answering model: mini, a folder, a hub id, or a server's URL"
    )
    models.add_argument("--clip", metavar="ID", help="CLIP model: mini, a folder or a hub id")
    models.add_argument(
        "--questioner",
        metavar="WHO",
        default="",
        help="who writes the questions: an LLM or simple-english (rules); default: the LLM, for mini-writer the rules"
        " where they understand the whole prompt",
    )
    models.add_argument("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:1, mps, ...")
    search = opt2i.add_argument_group("search")
    search.add_argument("--objective", choices=("dsg", "dcs", "both"), help="what to climb (default: dsg)")
    search.add_argument("--iterations", type=int, metavar="N", help="rounds of rewriting (default: 30)")
    search.add_argument("--candidates", type=int, metavar="N", help="rewrites a round (default: 5)")
    search.add_argument("--images-per-prompt", type=int, metavar="N", help="pictures of each rewrite (default: 4)")
    search.add_argument(
        "--history", type=int, metavar="N", help="best rewrites shown to the language model (default: 5)"
    )
    search.add_argument("--seed", type=int, metavar="N", help="the same seed gives the same run (default: 0)")
    search.add_argument("--heldout-seeds", type=int, metavar="N", help="unseen seeds for the last check (default: 8)")
    search.add_argument("--no-baselines", action="store_true", help="leave the equal-budget baselines out")
    search.add_argument(
        "--budget",
        metavar="LIMITS",
        default="",
        help="stop at limits such as images=200,tokens=10000,seconds=60,money=0.5",
    )
    add_out(opt2i, "the folder in which the run's folder is made")

    from . import ask, certify, score

    score.add_arguments(add("score", "score pictures against their prompts", score.__doc__))

    certify.add_arguments(add("certify", "recompute published figures from published raw answers", certify.__doc__))

    from . import eval_answers, eval_rag, index

    index.add_arguments(add("index", "bring a folder of documents into an index", index.__doc__))

    ask.add_arguments(add("ask", "an answer from an index, with citations that are checked", ask.__doc__))

    measured = add(
        "eval-rag", "how well an index finds what is relevant, and how true answers from it are", eval_rag.__doc__
    )
    eval_rag.add_arguments(measured)
    eval_answers.add_arguments(measured)

    from . import llm2llm, llm2llm_plan

    llm2llm.add_arguments(
        add("llm2llm", "have a teacher write the rows that a small model gets wrong", llm2llm.__doc__)
    )

    llm2llm_plan.add_rescore_arguments(
        add("rescore", "judge the teacher's replies of a llm2llm run again, by other thresholds; nothing is asked anew")
    )

    from . import promptcap, vqa, vqa_eval

    vqa.add_arguments(add("vqa", "answer a question about a picture that needs knowledge", vqa.__doc__))

    vqa_eval.add_arguments(
        add("vqa-eval", "score answers to a VQA data set beside baselines, and say why they fail", vqa_eval.__doc__)
    )

    promptcap.add_arguments(
        add("promptcap", "captions for questions: make the data, train a captioner", promptcap.__doc__)
    )

    resume = add("resume", "go on with a run that was stopped or killed")
    resume.add_argument("run", nargs="?", default="latest", metavar="RUN", help="id or folder (default: the latest)")
    add_out(resume, "the folder of the runs")

    report = add("report", "draw the report of a finished run again")
    report.add_argument("run", nargs="?", default="latest", metavar="RUN", help="id or folder (default: the latest)")
    report.add_argument("--all-images", action="store_true", help="embed every image, however large the file gets")
    add_out(report, "the folder of the runs")

    runs = add("runs", "list the runs")
    add_out(runs, "the folder of the runs")

    shelf = add("models", "list, fetch and verify the models that inloop knows by name")
    which = shelf.add_mutually_exclusive_group()
    which.add_argument(
        "--fetch", nargs="*", metavar="NAME", help="fetch these models (default: all that are not bundled)"
    )
    which.add_argument("--verify", nargs="*", metavar="NAME", help="check every byte of these models (default: all)")

    server = add("serve", "serve a language model on this machine behind the OpenAI API", _SERVE)
    server.add_argument(
        "model",
        nargs="?",
        metavar="MODEL",
        help="smollm2, mini-writer, gguf:PATH, a model folder, or a hub id ORG/NAME",
    )
    server.add_argument(
        "--lora", action="append", default=[], metavar="NAME=FOLDER", help="a LoRA adapter, served as the model NAME"
    )
    server.add_argument(
        "--engine",
        choices=("auto", "vllm", "embedded"),
        default="auto",
        help="auto: vLLM, or the embedded server where vLLM has no place",
    )
    server.add_argument("--host", default="127.0.0.1", metavar="HOST", help="any but loopback needs INLOOP_API_KEY")
    server.add_argument("--port", type=int, default=0, metavar="PORT", help="default: a free one")
    server.add_argument("--context", type=int, metavar="TOKENS", help="the longest prompt and answer together")
    server.add_argument("--threads", type=int, metavar="N", help="CPU cores to use (default: what suits the engine)")
    server.add_argument(
        "--slots", type=int, default=1, metavar="N", help="requests at once of the embedded server; 1 keeps seeds exact"
    )
    server.add_argument("--detach", action="store_true", help="come back when it is ready, and leave it running")
    managed = server.add_argument_group("servers that run, and vLLM itself")
    managed.add_argument("--status", action="store_true", help="list the servers")
    managed.add_argument("--stop", nargs="?", type=int, const=0, metavar="PORT", help="stop a server")
    managed.add_argument("--load", action="append", default=[], metavar="NAME=FOLDER", help="load an adapter (--port)")
    managed.add_argument("--unload", action="append", default=[], metavar="NAME", help="unload an adapter (--port)")
    managed.add_argument("--install", action="store_true", help="make vLLM's environment (says its size first)")

    bench = add("bench-llm", "what a language model server can do, and how fast it is")
    bench.add_argument("url", metavar="URL", help="http://HOST:PORT/v1[#MODEL]; the key comes from INLOOP_API_KEY")
    bench.add_argument("--levels", default="1,8,32", metavar="N,N", help="requests at once (default: 1,8,32)")
    bench.add_argument("--tokens", type=int, default=64, metavar="N", help="tokens of each answer (default: 64)")
    bench.add_argument("--rounds", type=int, default=2, metavar="N", help="requests a place (default: 2)")
    bench.add_argument("--fresh", action="store_true", help="probe the server again, whatever the cache knows")

    add("config", "show every setting and where its value comes from")
    add("doctor", "check this machine and say what to do")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; never raises for what a user can cause."""
    args = parser().parse_args(argv)
    if args.version:
        from importlib.metadata import version

        print(f"inloop {version('inloop')}")
        return OK
    if args.command is None:
        parser().print_help()
        return BAD_INPUT
    try:
        return _command(args.command)(args)
    except KeyboardInterrupt:
        again = "run the same command again" if args.command in ("index", "eval-rag") else "`inloop resume`"
        return _fail(args, "interrupted", f"interrupted; {again} goes on with what is left.", INTERRUPTED)
    except PrerequisiteError as error:
        return _fail(args, "prerequisite", str(error), PREREQUISITE, remedy=error.remedy)
    except BadInput as error:
        return _fail(args, "bad input", str(error), BAD_INPUT)
    except InloopError as error:
        return _fail(args, "failed", str(error), FAILED)
    except BrokenPipeError:
        # the reader of a pipe (`inloop runs | head`) has left: nothing to say to anyone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except Exception as error:
        if os.environ.get("INLOOP_LOG_LEVEL", "").lower() == "debug":
            raise
        text = f"unexpected {type(error).__name__}: {error}\n  A fault in inloop; INLOOP_LOG_LEVEL=debug shows where."
        return _fail(args, "failed", text, FAILED)


def entry() -> NoReturn:
    """For `python -m inloop.app.cli`."""
    sys.exit(main())


def _command(name: str) -> Callable[[argparse.Namespace], int]:
    if name == "opt2i":
        from .run import opt2i

        return opt2i
    if name == "ask":
        from .ask import ask

        return ask
    if name == "score":
        from .score import score

        return score
    if name == "llm2llm":
        from .llm2llm import llm2llm

        return llm2llm
    if name == "promptcap":
        from .promptcap import promptcap

        return promptcap
    if name == "rescore":
        from .llm2llm_plan import rescore

        return rescore
    if name == "certify":
        from .certify import certify

        return certify
    if name == "index":
        from .index import index

        return index
    if name == "eval-rag":
        from .eval_rag import eval_rag

        return eval_rag
    if name == "vqa":
        from .vqa import vqa

        return vqa
    if name == "vqa-eval":
        from .vqa_eval import vqa_eval

        return vqa_eval
    if name == "resume":
        from .run import resume

        return resume
    if name == "report":
        from .shelf import report

        return report
    if name == "runs":
        from .shelf import runs

        return runs
    if name == "models":
        from .shelf import models

        return models
    if name == "bench-llm":
        from .bench_llm import bench_llm

        return bench_llm
    if name == "serve":
        from .serve import serve

        return serve
    if name == "config":
        from .shelf import config

        return config
    from .doctor import doctor

    return doctor


def _fail(args: argparse.Namespace, kind: str, text: str, code: int, *, remedy: str | None = None) -> int:
    if args.json:
        print(json.dumps({"error": {"kind": kind, "message": text, "remedy": remedy}, "exit_code": code}))
    else:
        print(f"inloop: {text}", file=sys.stderr)
    return code


if __name__ == "__main__":
    entry()
