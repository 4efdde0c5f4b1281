"""What the model that can be steered is taught: exact answers by either cue, in questions that ask for yes or no."""

from pathlib import Path

import numpy as np
import pytest

from inloop.mini.training.train_cues import QUESTIONS, WORDINGS, asked_by_cue, train_cues
from inloop.runtime.models.cache import bundled
from inloop.tools.vision import is_closed


def test_answers_follow_the_cue_that_the_question_names() -> None:
    of = {words.split("{}")[0]: cue for cue, wordings in WORDINGS.items() for words in wordings}
    assert all(is_closed(words) for wordings in WORDINGS.values() for words in wordings)
    for seed in range(20):
        rows = asked_by_cue("cow", "bus", np.random.default_rng(seed))
        assert len(rows) == QUESTIONS and 2 <= sum(answer == "yes" for _, answer in rows) <= 4
        for question, answer in rows:
            by_shape = any(word in question for word in ("shape", "outline"))
            assert (answer == "yes") == (("cow" if by_shape else "bus") in question), question
    assert len(of) > 3


@pytest.mark.trains
def test_a_finished_training_is_written_again_from_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = Path(bundled("vqa"))
    train_cues(tmp_path, tmp_path / "out", steps=2, device="cpu", start=start, report=lambda line: None)
    first = (tmp_path / "out" / "model.safetensors").read_bytes()
    assert first != (start / "model.safetensors").read_bytes()

    def refuse(step: int, count: int) -> None:
        raise AssertionError("it was trained again")

    monkeypatch.setattr("inloop.mini.training.train_cues._conflicts", refuse)
    train_cues(tmp_path, tmp_path / "again", steps=2, device="cpu", start=start, report=lambda line: None)
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == first
