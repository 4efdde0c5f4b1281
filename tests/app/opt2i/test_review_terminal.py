"""The reviewer at a terminal: what a line means, what is shown, and that the end of the input loses nothing."""

import asyncio
import io

import pytest
from drawn import make_outcome

from inloop.app.opt2i.review import TerminalReviewer, parsed
from inloop.graphs.opt2i import Offer, Offered, Review
from inloop.runtime.errors import Interrupted
from inloop.runtime.store.blobs import BlobStore


@pytest.fixture(scope="module")
def blobs(tmp_path_factory):
    return BlobStore(tmp_path_factory.mktemp("store") / "blobs")


@pytest.fixture(scope="module")
def offer(blobs):
    trials = make_outcome(blobs, iterations=2, candidates=2).tasks[0].trials
    offered = tuple(
        Offered(
            id=trial.id,
            text=trial.text,
            score=trial.objective,
            parts=(("Is there a <cup>?", 0.25),),
            images=tuple(shot.image for shot in trial.images),
        )
        for trial in trials[:3]
    )
    return Offer(task="p1", text="a cup & a spoon", iteration=2, candidates=offered)


def asked(offer, blobs, folder, lines):
    told = io.StringIO()
    reviewer = TerminalReviewer(folder, blobs, typed=io.StringIO(lines), told=told)
    return asyncio.run(reviewer(offer.model_dump(mode="json"))), told.getvalue()


def test_lines_are_gathered_until_an_empty_one(offer, blobs, tmp_path):
    review, told = asked(
        offer, blobs, tmp_path, 'keep b\nban "photo of" gold\ntry  an empty cup\nask the cup must be empty\n\n'
    )
    assert review == Review(
        keep=(offer.candidates[1].id,),
        ban=("photo of", "gold"),
        texts=("an empty cup",),
        questions=("Is the cup empty?",),
    )
    assert "a cup & a spoon: round 2" in told and "it fails: Is there a <cup>?" in told and "review.html" in told


def test_nothing_is_an_answer_too_and_stop_needs_no_empty_line(offer, blobs, tmp_path):
    assert asked(offer, blobs, tmp_path, "\n")[0] == Review()
    assert asked(offer, blobs, tmp_path, "ban gold\nstop\n")[0] == Review(ban=("gold",), stop=True)


@pytest.mark.parametrize("line", ["keep z", "keep", "ban", "more gold", "ask prettier"])
def test_what_is_no_answer_is_said_and_asked_again(offer, blobs, tmp_path, line):
    review, told = asked(offer, blobs, tmp_path, f"{line}\n\n")
    assert review == Review() and "is no" in told and told.count("Enter: go on") == 2


def test_the_end_of_the_input_waits_for_another_day(offer, blobs, tmp_path):
    with pytest.raises(Interrupted, match="waits for a person's answer"):
        asked(offer, blobs, tmp_path, "keep a\n")


def test_the_page_has_the_letters_the_pictures_and_no_markup_of_a_prompt(offer, blobs, tmp_path):
    asked(offer, blobs, tmp_path, "\n")
    page = (tmp_path / "review.html").read_text(encoding="utf-8")
    assert page.count("data:image/") >= 3 and "a cup &amp; a spoon" in page and "Is there a &lt;cup&gt;?" in page
    assert page.index('<span class="big">c</span>') < page.index('<span class="big">a</span>')  # the best one first


def test_a_line_is_added_to_what_was_said(offer):
    review = parsed("keep a", Review(ban=("x",)), offer)
    assert review == Review(ban=("x",), keep=(offer.candidates[0].id,))
