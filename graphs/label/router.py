"""Where each mask goes: it is accepted unseen, a judge is asked, or a person.

Before people have answered, the defaults of SAM's automatic stage hold (Kirillov et al. 2023, section 4 and appendix B): a predicted IoU of .88 and a
stability of .95; and a detector's score of .5, a judge's P(yes) of .9. They are defaults and promise nothing. Once enough masks were answered,
a mask's confidence is its probability of being right, from these four numbers, and the threshold is the lowest one above which the answered masks are
right as often as was asked for, by the lower end of the 95 % interval. Each answer is judged by a fit that has not seen its picture. Where no
threshold does, the defaults stay, unless those of their masks that were drawn and looked at are right less often than that for sure: then nothing is accepted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from ...evaluators.stats import answers_needed, logistic, selected_threshold, share_interval
from .result import Calibration, LabelledObject, Route

__all__ = ["RIGHT", "routed"]

SCORE, IOU, STABILITY, P_YES = 0.5, 0.88, 0.95, 0.9
RIGHT = 0.75
"""The IoU with a person's mask from which on a mask counts as right."""
_FEWEST = 12  # answers, of which there must be right and wrong ones, for a fit
_FOLDS = 5


def routed(
    objects: Sequence[LabelledObject], *, target: float, judging: bool
) -> tuple[list[LabelledObject], Calibration]:
    """The objects with confidence, route and reason; and what the answers say of the router.

    A person's word stands before everything. `judging`: whether there is a judge to ask.
    """
    proposed = [each for each in objects if each.origin == "detector"]
    answered = [each for each in proposed if each.answer not in ("", "skip")]
    right = [each.answer == "right" for each in answered]
    fitted = len(answered) >= _FEWEST and 0 < sum(right) < len(right)
    confidences = dict(zip((each.id for each in objects), _confidences(objects, answered, right, fitted), strict=True))
    held_out = _held_out(answered, right, fitted)
    threshold = selected_threshold(held_out, right, target) if answered else None
    calibration = _calibration(answered, right, held_out, threshold, target)
    refuted = threshold is None and calibration.audit_ci is not None and calibration.audit_ci[1] < target
    out = []
    for each in objects:
        confidence = round(float(confidences[each.id]), 6)
        route, why = _route(each, confidence, threshold, judging, refuted)
        out.append(each.model_copy(update={"confidence": confidence, "route": route, "why": why}))
    return out, calibration


def _route(
    each: LabelledObject, confidence: float, threshold: float | None, judging: bool, refuted: bool
) -> tuple[Route, str]:
    if each.replaced and not each.answer:
        return "left out", "a person's own box stands in its place"
    if each.replaced:
        agrees = "agrees with it" if each.answer == "right" else "does not agree with it"
        return "left out", f"a person labelled the picture, and {agrees}"
    match each.answer:
        case "right":
            return "confirmed", "a person says that it is right" if each.origin != "import" else "a person's own label"
        case "label":
            return "confirmed", f"a person calls it {each.label}; it was {each.was}"
        case "wrong":
            return "left out", "a person says that it is wrong"
        case "box":
            return "left out", "a person gave another box"
    if each.origin == "person":
        return "person", "the mask of a person's box, which nobody has seen yet"
    numbers = f"score {each.score or 0:.2f}, predicted IoU {each.iou:.2f}, stability {each.stability:.2f}"
    if each.p_yes is not None:
        numbers += f", judge {each.p_yes:.2f}"
    if threshold is not None:
        if confidence >= threshold:
            return "accepted", f"right with {confidence:.0%}, and {threshold:.0%} is enough ({numbers})"
        reason = f"right with {confidence:.0%}, below {threshold:.0%} ({numbers})"
    elif refuted:
        reason = f"the defaults did not keep what was promised, and nothing is accepted unseen ({numbers})"
    else:
        if (each.score or 0) >= SCORE and each.iou >= IOU and each.stability >= STABILITY:
            return "accepted", f"above the defaults ({numbers})"
        if each.p_yes is not None and each.p_yes >= P_YES:
            return "accepted", f"below the defaults, and the judge says yes ({numbers})"
        reason = f"below the defaults ({numbers})"
    if judging and not each.judged:
        return "judge", reason
    if each.judged and each.p_yes is None:
        reason += "; the judge could not tell"
    return "person", reason


def _plain(each: LabelledObject) -> float:
    """The geometric mean of what the models say; for an order before there is a fit."""
    numbers = [1.0 if each.score is None else each.score, each.iou, each.stability]
    if each.p_yes is not None:
        numbers.append(each.p_yes)
    return math.prod(max(number, 1e-6) for number in numbers) ** (1 / len(numbers))


def _features(objects: Sequence[LabelledObject]) -> NDArray[np.float64]:
    """The numbers as they are: an estimated IoU of .99 is not that much surer than one of .95. P(yes) as log odds, which a judge's are near to."""
    return np.array(
        [
            [1.0 if each.score is None else each.score, each.iou, each.stability,
             0.0 if each.p_yes is None else _log_odds(each.p_yes), float(each.p_yes is not None)]
            for each in objects
        ], dtype=np.float64,
    ).reshape(-1, 5)  # fmt: skip


def _log_odds(value: float) -> float:
    bounded = min(max(value, 0.02), 0.98)
    return math.log(bounded / (1 - bounded))


def _confidences(
    objects: Sequence[LabelledObject], answered: Sequence[LabelledObject], right: Sequence[bool], fitted: bool
) -> list[float]:
    if not fitted:
        return [_plain(each) for each in objects]
    found: list[float] = logistic(_features(answered), right)(_features(objects)).tolist()
    return found


def _held_out(answered: Sequence[LabelledObject], right: Sequence[bool], fitted: bool) -> list[float]:
    """The confidence of each answered one, by a fit without those of its fold; pictures are never parted."""
    if not fitted:
        return [_plain(each) for each in answered]
    features, truth = _features(answered), np.array(right)
    folds = np.array([int(sha256(each.picture.encode()).hexdigest()[:8], 16) % _FOLDS for each in answered])
    out = np.zeros(len(answered))
    for fold in range(_FOLDS):
        here = folds == fold
        if here.any() and not here.all():
            out[here] = logistic(features[~here], truth[~here].tolist())(features[here])
        elif here.any():  # one picture alone: nothing can be held out
            out[here] = [_plain(each) for each in answered]
    found: list[float] = out.tolist()
    return found


def _calibration(
    answered: Sequence[LabelledObject],
    right: Sequence[bool],
    scores: Sequence[float],
    threshold: float | None,
    target: float,
) -> Calibration:
    needed = answers_needed(target)
    above = audit = audit_ci = None
    if drawn := [hit for each, hit in zip(answered, right, strict=True) if each.audit]:
        audit = (sum(drawn), len(drawn))
        audit_ci = share_interval(*audit)
    if threshold is not None:
        hits = [hit for score, hit in zip(scores, right, strict=True) if score >= threshold]
        above = (sum(hits), len(hits))
        how = f"of {len(answered)} answers, those with a confidence of {threshold:.2f} or more are right at least {target:.0%} of the time"
    elif audit_ci is not None and audit_ci[1] < target:
        how = f"nothing is accepted unseen: the defaults are right less often than {target:.0%}, and by {len(answered)} answers no confidence is enough"
    elif len(answered) < needed:
        how = f"defaults: {len(answered)} masks are answered, and a promise of {target:.0%} needs {needed} or more"
    else:
        how = f"defaults: by {len(answered)} answers there is no confidence from which on {target:.0%} are right"
    return Calibration(
        answers=len(answered), right=sum(right), target=target, threshold=threshold, how=how, above=above,
        above_ci=share_interval(*above) if above else None, audit=audit, audit_ci=audit_ci,
    )  # fmt: skip
