"""Citation precision and recall, groundedness, abstention, correctness: on cases that can be worked out by hand."""

from types import MappingProxyType

import pytest

from inloop.evaluators.rag.abstention import abstentions
from inloop.evaluators.rag.answer_correctness import correctness, token_f1
from inloop.evaluators.rag.citations import alce, evidence_citations
from inloop.evaluators.rag.claim_answers import compare_answers, score_answers
from inloop.evaluators.rag.groundedness import Groundedness
from inloop.evaluators.stats.intervals import ratio, ratio_gain
from inloop.runtime.answers import Abstention, Checked, Citation, CitedAnswer
from inloop.runtime.errors import BadInput, CallFailed
from inloop.tools.data.claims import Claim, locate, read_claims, read_sentences
from inloop.tools.entailment.judgement import Judgement


class Facts:
    """A judge by facts: a premise supports a hypothesis when it holds every word of it; "?" in a premise breaks it."""

    name = "facts"
    thresholds = MappingProxyType({"entails": 0.5, "pertinent": 0.5, "stance": 0.7, "contradicts": 0.5, "weakest": 0.0})

    async def judge(self, pairs):
        if any("?" in premise for premise, _ in pairs):
            raise CallFailed("the judge is out")
        return [Judgement(supports=float(set(h.split()) <= set(p.split()))) for p, h in pairs]


def answer_of(*sentences, **fields):
    made = tuple(
        Checked(
            text=text,
            verdict="supported",
            why="",
            citations=tuple(
                Citation(number=n, passage=f"p{n}", document=f"d{n}", quote=quote)
                for n, quote in enumerate(quotes, start=1)
            ),
        )
        for text, quotes in sentences
    )
    return CitedAnswer(question="q", sentences=made, **fields)


async def test_alce_as_the_paper_defines_it():
    # both citations are needed; one of two suffices, the other is irrelevant; no citation; wrong citation
    found = await alce(answer_of(("a b", ["a", "b"]), ("c", ["c d", "e"]), ("f", []), ("g", ["h"])), Facts())
    assert (found.recall.hits, found.recall.trials) == (2, 4)
    assert (found.precision.hits, found.precision.trials) == (3, 5)
    # two citations that each suffice are both precise
    found = await alce(answer_of(("a", ["a x", "a y"])), Facts())
    assert found.precision.value == 1.0


async def test_what_the_judge_could_not_decide_is_counted_and_bounded():
    found = await alce(answer_of(("a", ["a"]), ("b", ["b?"])), Facts())
    assert (found.recall.hits, found.recall.trials, found.recall.unscored) == (1, 1, 1)
    assert found.recall.bounds == (0.5, 1.0)
    assert found.precision.unscored == 1


async def test_groundedness_loses_no_claim():
    judge = Groundedness(Facts())
    score = await judge.score(answer_of(("a b", []), ("c", [])), ["a b", "x"])
    assert score.value == 0.5 and [part.value for part in score.parts] == [1.0, 0.0]
    score = await judge.score(answer_of(("a b", [])), ["is it?"])
    assert score.value is None and score.parts[0].value is None
    assert "could be judged" in score.explanation
    abstained = CitedAnswer(question="q", abstained=Abstention(reason="nothing_found", explanation=""))
    assert (await judge.score(abstained, ["a"])).value is None


def test_abstention_precision_recall_and_coverage():
    def gave_up(reason):
        return CitedAnswer(question="q", abstained=Abstention(reason=reason, explanation=""))

    answers = [
        answer_of(("a", ["a"])),
        gave_up("nothing_found"),
        gave_up("does_not_say"),
        answer_of(("a", ["a"])),
        gave_up("verifier_failed"),
    ]
    found = abstentions(answers, [True, True, False, False, True])
    assert (found.precision.value, found.recall.value, found.coverage.value) == (0.5, 0.5, 0.5)
    assert found.unscored == 1 and found.reasons == {"does_not_say": 1, "nothing_found": 1, "verifier_failed": 1}


def test_correctness_as_squad_has_it():
    assert token_f1("the Eiffel Tower", "Eiffel tower!") == 1.0
    found = correctness("It was opened in 1932.", ["1932", "in 1932"])
    assert (found.exact, found.contains) == (0.0, 1.0)
    assert found.f1 == pytest.approx(2 * 2 / (5 + 2))
    assert correctness("x", []) is None


def test_ratios_are_over_all_trials_and_intervals_over_items():
    found = ratio([(1, 1), (0, 3), (0, 0)])
    assert found.value == 0.25 and found.n == 2 and found.unscored == 1
    assert found.ci is None  # of two
    found = ratio([(1, 1), (0, 3)] * 3)
    assert found.value == 0.25 and found.ci[0] <= 0.25 <= found.ci[1]
    assert ratio([(0, 0)]).value is None
    gain = ratio_gain([(0, 2), (1, 2)] * 20, [(0, 0), (1, 1)] * 20)
    assert gain.value == 0.75 and gain.ci[0] > 0
    with pytest.raises(BadInput):
        ratio_gain([(1, 1)], [])


SENTENCES = {"d1": ["Tea is a drink.", "It is hot."], "d2": ["Coffee is a drink."]}


def cited(*places):
    citations = tuple(
        Citation(number=n, passage=f"p{n}", document=d, start=s, quote=q) for n, (d, s, q) in enumerate(places, start=1)
    )
    return CitedAnswer(
        question="q",
        kind="claim",
        sentences=(Checked(text="x", verdict="supported", why="", citations=citations),),
        stance="supports",
    )


def test_citations_against_annotated_evidence():
    claims = [
        Claim(id="1", text="Tea is hot.", label="SUPPORT", evidence=(("d1", 1),)),
        Claim(id="2", text="Milk is hot.", label="NOT_ENOUGH_INFO"),
    ]
    before = [
        cited(("d1", 16, "It is hot."), ("d2", 0, "Coffee is a drink."), ("far", 5, "Hot is it.")),
        cited(("d1", 16, "It is hot.")),
    ]
    nothing = CitedAnswer(question="q", kind="claim", abstained=Abstention(reason="does_not_say", explanation=""))
    after = [cited(("d1", 16, "It is  hot.")), nothing]
    old, new = (score_answers(claims, answers, SENTENCES) for answers in (before, after))
    assert (old.precision.value, old.recall.value, old.answered) == (0.25, 1.0, 2)
    assert (new.precision.value, new.recall.value, new.answered) == (1.0, 1.0, 1)
    assert new.abstentions.recall.value == 1.0 and new.stance.value == 1.0
    change = compare_answers(claims, before, after, SENTENCES)
    assert change.precision.value == 0.75 and change.lost.value == 0.0
    assert compare_answers(claims, after, [nothing, nothing], SENTENCES).lost.value == 1.0
    assert evidence_citations([], [("d1", 1)]).precision.trials == 0


def test_quotations_are_found_in_their_sentences():
    assert locate("It is hot.", SENTENCES["d1"]) == [1]
    assert locate("Tea is a drink. It is\nhot.", SENTENCES["d1"]) == [0, 1]
    assert locate("drink", SENTENCES["d1"]) == [0]
    assert locate("Milk", SENTENCES["d1"]) == []


def test_both_layouts_of_claims(tmp_path):
    rows = tmp_path / "rows.json"
    rows.write_text(
        '[{"split": "a", "id": "1", "claim": "c", "evidence_doc_id": "7", "label": "SUPPORT", "evidence_sentences": [1]},'
        '{"split": "a", "id": "1", "claim": "c", "evidence_doc_id": "8", "label": "SUPPORT", "evidence_sentences": [0, 2]},'
        '{"split": "b", "id": "2", "claim": "n", "evidence_doc_id": null, "label": "NOT_ENOUGH_INFO", "evidence_sentences": []}]',
        encoding="utf-8",
    )
    lines = tmp_path / "lines.jsonl"
    lines.write_text(
        '{"id": 1, "claim": "c", "evidence": {"7": [{"sentences": [1], "label": "SUPPORT"}], "8": [{"sentences": [0, 2], "label": "SUPPORT"}]}}\n'
        '{"id": 2, "claim": "n", "evidence": {}, "cited_doc_ids": [3]}\n',
        encoding="utf-8",
    )
    assert read_claims(rows) == read_claims(lines)
    assert read_claims(rows)[0].evidence == (("7", 1), ("8", 0), ("8", 2))
    assert [claim.id for claim in read_claims(rows, split="b")] == ["2"]
    with pytest.raises(BadInput, match="no claim of the split"):
        read_claims(rows, split="c")
    lines.write_text('{"id": 1}\nnot json\n', encoding="utf-8")
    with pytest.raises(BadInput, match="line 2"):
        read_claims(lines)
    lines.write_text('{"doc_id": 7, "abstract": ["a", "b"]}\n{"doc_id": 8, "abstract": []}\n', encoding="utf-8")
    assert read_sentences(lines) == {"7": ["a", "b"], "8": []}
    rows.write_text('{"7": {"sentences": ["a", "b"]}}', encoding="utf-8")
    assert read_sentences(rows) == {"7": ["a", "b"]}
