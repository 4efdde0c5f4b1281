"""Where masks go: defaults before people have answered, and what their answers are worth after."""

import numpy as np
import pytest

from inloop.graphs.label.result import LabelledObject
from inloop.graphs.label.router import routed
from inloop.runtime.records import BlobRef

REF = BlobRef(sha256="0" * 64, media_type="image/png", bytes=1)


def mask(number, **fields):
    given = {"score": 0.9, "iou": 0.95, "stability": 0.97} | fields
    return LabelledObject(
        id=f"{number // 3}.png#{number}",
        picture=f"{number // 3}.png",
        image=REF,
        label="cup",
        box=(0, 0, 1, 1),
        mask=REF,
        **given,
    )


def routes(objects, **options):
    found, calibration = routed(objects, **{"target": 0.9, "judging": False} | options)
    return [each.route for each in found], found, calibration


def test_the_defaults_are_those_of_sam_and_said_to_be_defaults():
    objects = [mask(0), mask(1, iou=0.87), mask(2, stability=0.94), mask(3, score=0.49)]
    went, found, calibration = routes(objects)
    assert went == ["accepted", "person", "person", "person"]
    assert (
        calibration.threshold is None
        and calibration.how.startswith("defaults: 0 masks are answered")
        and "35" in calibration.how
    )
    assert "predicted IoU 0.87" in found[1].why
    assert found[0].confidence == pytest.approx((0.9 * 0.95 * 0.97) ** (1 / 3), abs=1e-6)


def test_a_judge_is_asked_once_and_its_yes_counts():
    went, _, _ = routes([mask(0, iou=0.5)], judging=True)
    assert went == ["judge"]
    told = [
        mask(0, iou=0.5, judged=True, p_yes=0.95),
        mask(1, iou=0.5, judged=True, p_yes=0.5),
        mask(2, iou=0.5, judged=True),
    ]
    went, found, _ = routes(told, judging=True)
    assert went == ["accepted", "person", "person"]
    assert "the judge says yes" in found[0].why and "could not tell" in found[2].why


def test_a_persons_word_stands_before_everything():
    objects = [
        mask(0, iou=0.1, answer="right"), mask(1, answer="wrong"), mask(2, answer="box"), mask(3, answer="label", was="mug"),
        mask(4, origin="person", score=None), mask(5, answer="right", replaced=True), mask(6, origin="import", score=None, answer="right"),
    ]  # fmt: skip
    went, found, calibration = routes(objects)
    assert went == ["confirmed", "left out", "left out", "confirmed", "person", "left out", "confirmed"]
    assert "was mug" in found[3].why and "nobody has seen" in found[4].why
    assert (calibration.answers, calibration.right) == (5, 2)  # what people drew themselves says nothing of the models


def answered(count, seed=0):
    """Masks of which those with a high estimate are right, and half of the others."""
    rng = np.random.default_rng(seed)
    out = []
    for number in range(count):
        iou = float(rng.uniform(0.4, 1.0))
        right = iou > 0.7 or rng.random() < 0.3
        out.append(mask(number, iou=iou, answer="right" if right else "wrong", audit=number % 10 == 0))
    return out


def test_enough_answers_set_a_threshold_with_its_intervals():
    objects = [*answered(120), mask(900, iou=0.8), mask(901, iou=0.45)]
    went, found, calibration = routes(objects)
    assert calibration.threshold is not None and calibration.how.startswith("of 120 answers")
    assert went[-2:] == ["accepted", "person"]  # .8 is below SAM's default, and right here
    hits, of = calibration.above
    assert calibration.above_ci[0] >= 0.9 and hits <= of and calibration.audit[1] == 12
    assert "is enough" in found[-2].why and "below" in found[-1].why


def test_where_confidence_tells_nothing_there_is_no_threshold():
    rng = np.random.default_rng(3)
    objects = [mask(n, iou=float(rng.random()), answer="right" if rng.random() < 0.7 else "wrong") for n in range(150)]
    went, _, calibration = routes([*objects, mask(900)])
    assert calibration.threshold is None and "no confidence from which on 90% are right" in calibration.how
    assert went[-1] == "accepted"  # the defaults stay, and the report says that they are


def test_defaults_that_accept_too_much_accept_nothing_more():
    rng = np.random.default_rng(3)
    objects = [mask(n, answer="right" if rng.random() < 0.6 else "wrong", audit=True) for n in range(30)]
    went, found, calibration = routes([*objects, mask(900)])
    assert calibration.threshold is None and calibration.how.startswith("nothing is accepted unseen")
    assert went[-1] == "person" and "did not keep" in found[-1].why


def test_answers_that_are_all_right_need_no_fit():
    objects = [mask(n, iou=0.6 + n / 200, answer="right") for n in range(60)]
    went, found, calibration = routes([*objects, mask(900, iou=0.8)])
    assert calibration.threshold is not None and went[-1] == "accepted" and 0 < found[-1].confidence < 1
