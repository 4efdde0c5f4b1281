"""How OPT2I's results are put into words: what its scores measure, why a search ended, what unseen seeds say of it."""

from __future__ import annotations

from ...evaluators.stats import FEWEST
from ...graphs.opt2i import Effect, Look, Opt2iResult, Opt2iTask, Review, VotesSaid, Wishes, evaluator_name
from ...runtime.display import counted
from ..cli import signed

__all__ = [
    "EVALUATORS",
    "drift_words",
    "effect_words",
    "proof_words",
    "realism_words",
    "review_words",
    "shortened_words",
    "stop_words",
    "verdict_words",
    "vote_words",
]

EVALUATORS: dict[str, tuple[str, str]] = {
    "dsg": (
        "DSG",
        "the share of the prompt's scene-graph questions that a visual question answering model answers rightly (yes, or no to what the prompt denies); a "
        "question counts as failed where one that it depends on has failed (Davidsonian Scene Graph).",
    ),
    "dcs": (
        "dCS",
        "the mean CLIP similarity of the picture with each noun phrase of the prompt (decomposed CLIP score).",
    ),
    "similarity": (
        "similarity",
        "the cosine of a prompt with yours in the space of CLIP's text encoder, whatever the pictures show: 100 is the same prompt.",
    ),
}

_STOPS = {
    "perfect": "every question was answered rightly",
    "iterations": "all iterations are done",
    "proven": "a gain is proven",
}


def vote_words(said: VotesSaid) -> list[str]:
    """What judge and people say together, a sentence a line."""
    people = "1 person" if len(said.people) == 1 else f"{len(said.people)} people"
    lines = [f"{counted(said.counted, 'vote')} of {people} {'counts' if said.counted == 1 else 'count'}."]
    if said.void:
        lines[0] += (
            f" {said.void} more {'does' if said.void == 1 else 'do'} not: a picture that was voted on is another one now."
        )
    sure = "" if said.sure else ", which is not sure yet"
    lines.append(
        f"Judges and people together: “{said.chosen}” is the best with a probability of {100 * said.probability:.0f} %{sure}."
    )
    for judge, agreed in said.agreement.items():
        if agreed.share.value is None:
            continue
        ci = agreed.share.ci
        interval = "" if ci is None else f", 95 % interval {100 * ci[0]:.0f} to {100 * ci[1]:.0f}"
        lines.append(
            f"{evaluator_name(judge)} prefers what people prefer in {100 * agreed.share.value:.0f} % of {counted(agreed.answers, 'vote')} on"
            f" {counted(agreed.share.n, 'pair')} without a tie{interval}; guessing gives 50."
        )
    return lines


def stop_words(stop: str) -> str:
    """Why a search ended, in words."""
    return _STOPS.get(stop, stop)


def verdict_words(task: Opt2iTask) -> tuple[str, str]:
    """What the unseen seeds say of the best prompt, and how that is to be shown: good, bad or unknown."""
    if task.best_text == task.text:
        return "No candidate was better than your own prompt: keep it.", "unknown"
    if task.heldout and task.broken:
        return f"The best prompt breaks a floor on the unseen seeds ({task.broken}): prefer your own prompt.", "bad"
    if task.proof is not None:
        return (
            f"{proof_words(task.proof)[:1].upper()}{proof_words(task.proof)[1:]}.",
            "good" if task.accepted else "unknown",
        )
    if not task.heldout:
        return "The best prompt was not checked on unseen seeds.", "unknown"
    if task.accepted and task.verdict != "gain":
        return "The best prompt holds the floors on the unseen seeds, and your own breaks one there.", "good"
    if task.accepted:
        return "The gain holds on unseen seeds, on which nothing was chosen.", "good"
    if task.verdict == "too few":
        return (
            f"Too few unseen seeds were scored to say whether there is a gain: give --heldout-seeds {FEWEST} or more.",
            "unknown",
        )
    return "The unseen seeds do not confirm the gain: prefer your own prompt, or run with more images.", "bad"


def proof_words(look: Look) -> str:
    """How far a proof is, in words."""
    where = f"on {look.seeds} unseen seeds more"
    if look.proven:
        return f"the gain is proven: at least {signed(look.least)} points {where}, however often one looks"
    return f"no gain is proven {where} (evidence {look.evidence:.1f} of {look.needed:.0f})"


def review_words(wished: Review | Wishes) -> str:
    """What people wished, in words; "" for nothing."""
    said = [
        f"{name} {', '.join(values)}"
        for name, values in (
            ("keep", wished.keep),
            ("ban", wished.ban),
            ("try", wished.texts),
            ("ask", wished.questions),
        )
        if values
    ]
    return "; ".join([*said, *(["stop"] if isinstance(wished, Review) and wished.stop else [])])


def effect_words(effect: Effect) -> tuple[str, str]:
    """What a phrase adds in points, and its interval."""
    if effect.effect is None:
        return "not scored", ""
    return signed(effect.effect), "" if effect.ci is None else f"{signed(effect.ci[0])} to {signed(effect.ci[1])}"


def shortened_words(task: Opt2iTask) -> str:
    """What became of the prompt without its idle phrases; "" where that was not asked for, or there are none."""
    short = task.shortened
    if short is None:
        return ""
    change = "it was not scored" if short.change is None else f"{signed(short.change)} points on {short.n} fresh seeds"
    return (
        f"Without its idle phrases: {short.text!r} ({change}; {'use it' if short.kept else 'keep the whole prompt'})."
    )


def drift_words(task: Opt2iTask) -> str:
    """What moved with the score; "" where nothing did."""
    if task.drift is None:
        return ""
    user, best = (task.drift.diversity.get(name) for name in ("user", "best"))
    pictures = (
        ""
        if user is None or best is None
        else f"; its pictures differ by {best:.2f} from each other, yours by {user:.2f}"
    )
    return f"By {task.drift.encoder} the best prompt has a cosine of {task.drift.similarity:.2f} with yours{pictures} (1 - cosine)."


def realism_words(result: Opt2iResult) -> list[str]:
    """What the search did to the pictures as a set, against the reference: a line each; none where there is no reference."""
    if not result.realism:
        return []
    user, best = result.realism["user"], result.realism["best"]
    return [
        f"against {best.n_reference} real pictures, before and after: precision {user.precision:.3f} → {best.precision:.3f},"
        f" recall {user.recall:.3f} → {best.recall:.3f}, FID {user.fid:.4g} → {best.fid:.4g}, KID {user.kid:.3g} → {best.kid:.3g}",
        f"({best.n} pictures each on unseen seeds, by {best.encoder})",
        *best.notes,
    ]
