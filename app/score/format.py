"""What `inloop score` says on a terminal: the table, and the worst pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..cli import amount, clip, counted, printable, seconds

if TYPE_CHECKING:
    from ...evaluators.run import MetricResult
    from ...graphs.score import ScoreResult

__all__ = ["in_words"]


def in_words(run: ScoreResult, bold: bool = False) -> list[str]:
    """The figures of a run and its worst pictures."""
    stopped = [f"stopped by the budget ({run.stopped}): {len(run.tasks)} chunks were scored", ""] if run.stopped else []
    lines = [
        *stopped,
        f"{counted(run.items, 'picture')} of {counted(run.prompts, 'prompt')}, {seconds(run.seconds)}",
        "",
    ]
    lines.append(f"{'metric':11} {'mean':>7}  {'95 % interval':17} {'prompts':>8} {'pictures':>9} {'not scored':>11}")
    for result in run.metrics:
        lines.append(_row(result))
        lines += [f"            {amount(count)} x {clip(printable(why), 100)}" for why, count in result.reasons.items()]
        for tag, found in result.slices.items():
            value = "" if found.value is None else f"{found.value:7.3f}"
            ci = "" if found.ci is None else f"{found.ci[0]:.3f} to {found.ci[1]:.3f}"
            lines.append(f"  {clip(printable(tag), 9):9} {value:>7}  {ci:17} {amount(found.n):>8}")
    for name, made in run.against.items():
        gain = "not known" if made.gain.value is None else f"{made.gain.value:+.3f}"
        ci = "" if made.gain.ci is None else f" ({made.gain.ci[0]:+.3f} to {made.gain.ci[1]:+.3f})"
        p = "" if made.p is None else f", p = {made.p:.4f}"
        p += f", {run.holm[name]:.4f} corrected for {len(run.holm)} metrics" if name in run.holm else ""
        lines.append(f"{name} against {run.config['against']}: {gain}{ci} over {made.gain.n} prompts{p}")
    if run.statistics is not None:
        stats = run.statistics
        lines.append(
            f"against the {amount(stats.n_reference)} pictures of {run.config['reference']}: FID {stats.fid:.4g}, KID {stats.kid:.3g}"
            f" (+- {stats.kid_error:.2g}), precision {stats.precision:.3f}, recall {stats.recall:.3f}, by {stats.encoder}"
        )
        lines += [f"  {note}" for note in stats.notes]
    if run.agreement is not None and run.agreement.kappa is not None:
        share = run.agreement.share or 0.0
        lines.append(
            f"the VQA models agree on {share:.0%} of {amount(run.agreement.questions)} questions, kappa {run.agreement.kappa:.2f}"
        )
    for result in run.metrics:
        if result.worst:
            lines += ["", f"worst by {result.metric}:"]
            for item in result.worst[:5]:
                score = item.scores[result.metric]
                lines.append(f"  {score.value:7.3f}  {clip(printable(item.id), 32)}  {clip(printable(item.text), 60)}")
                lines.append(f"           {clip(printable(score.explanation), 110)}")
    return [*lines, ""]


def _row(result: MetricResult) -> str:
    overall = result.overall
    value = "none" if overall.value is None else f"{overall.value:.3f}"
    ci = "" if overall.ci is None else f"{overall.ci[0]:.3f} to {overall.ci[1]:.3f}"
    return (
        f"{result.metric:11} {value:>7}  {ci:17} {amount(overall.n):>8} {amount(result.pictures):>9}"
        f" {amount(result.unscored):>11}"
    )
