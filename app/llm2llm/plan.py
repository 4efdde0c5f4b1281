"""`inloop llm2llm --dry-run`: what the teacher would be asked, how much, and what is not known; nothing is paid."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

from ...runtime.run import RunFolder
from ...runtime.settings import Settings

if TYPE_CHECKING:
    from ...graphs.llm2llm import Llm2LlmConfig, Rescored

__all__ = ["add_rescore_arguments", "dry_run", "rescore"]


def dry_run(config: Llm2LlmConfig, settings: Settings, *, json_output: bool) -> int:
    """Print the estimate of a run."""
    from ...graphs.llm2llm import estimate

    plan = asyncio.run(estimate(config, settings))
    if json_output:
        print(plan.model_dump_json())
        return 0
    print(
        f"  {plan.seeds} seeds, {plan.dev} dev, {plan.test} test rows; {plan.mistakes} seeds are wrong now ({plan.mining})"
    )
    for name, asked in (("expected", plan.expected), ("most", plan.most)):
        money = "price unknown" if asked.money is None else f"{asked.money:.4g} US$"
        print(
            f"  {name:<9} {asked.calls} teacher calls, {asked.input_tokens} tokens in, {asked.output_tokens} out, {money}"
        )
    print(f"  {plan.note}")
    if plan.example:
        print("\n  the first question to the teacher:\n")
        print("\n".join(f"    {line}" for line in plan.example.splitlines()))
    return 0


def add_rescore_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `inloop rescore`."""
    command.add_argument("run", nargs="?", default="latest", metavar="RUN", help="id or folder (default: the latest)")
    command.add_argument("--rouge", type=float, metavar="F", help="another ROUGE-L above which a row is a copy")
    command.add_argument("--cosine", type=float, metavar="C", help="another cosine above which a row is a copy")
    command.add_argument("--agreement", type=float, metavar="A", help="another agreement that is enough")
    command.add_argument("--verifier", action="append", metavar="WHO", help="other verifiers, as in inloop llm2llm")
    command.add_argument("--out", metavar="DIR", help="the folder of the runs (default: runs)")


def rescore(args: argparse.Namespace) -> int:
    """Read and judge the replies of a finished run again, with other thresholds; the teacher is not asked."""
    from ...graphs.llm2llm import Llm2LlmResult
    from ...graphs.llm2llm import rescore as judge_again
    from ...runtime.store import write_whole

    settings = Settings.load(runs_dir=args.out)
    folder = RunFolder.open(settings.runs_dir, args.run)
    settings = Settings.load(runs_dir=folder.path.parent)
    changes = {
        name: getattr(args, name) for name in ("rouge", "cosine", "agreement") if getattr(args, name) is not None
    }
    if args.verifier:
        changes["verifiers"] = tuple(args.verifier)
    found: list[Rescored] = asyncio.run(
        judge_again(folder.result_as(Llm2LlmResult), changes, settings=settings, run_id=folder.id)
    )
    number = 1 + len(list(folder.path.glob("rescored-*.json")))
    path = Path(folder.path / f"rescored-{number}.json")
    told = {"run_id": folder.id, "changes": changes, "repeats": [one.model_dump(mode="json") for one in found]}
    write_whole(path, json.dumps(told, indent=1, ensure_ascii=False).encode("utf-8") + b"\n")
    if args.json:
        print(json.dumps({**told, "path": str(path)}, ensure_ascii=False))
        return 0
    for one in found:
        before = (
            ""
            if one.dev_before is None or one.dev is None
            else f"; dev {100 * one.dev_before:.1f} → {100 * one.dev:.1f}"
        )
        print(f"  repeat {one.repeat + 1}: {one.accepted_before} → {one.accepted} rows accepted{before}")
        print("\n".join(f"    {line}" for line in str(one.table).splitlines()))
    print(f"  teacher calls paid: {sum(one.paid for one in found)}\n  written to {path}")
    return 0
