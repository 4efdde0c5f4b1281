"""VQA accuracy: every rule against the published prediction files, and the quirks of the official script one by one."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inloop.evaluators.vqa.accuracy import RULES, Asked, Human, accuracy_of, find_rule, vqa_accuracy
from inloop.evaluators.vqa.files import has_answers, read_asked, read_predictions
from inloop.runtime.errors import BadInput

DATA = Path(os.environ.get("INLOOP_DATA", Path(__file__).parents[4] / "shared" / "data")) / "kbvqa"
EXPECTED = DATA / "expected_scores.json"
published = pytest.mark.skipif(
    not EXPECTED.is_file(),
    reason=f"the prediction files are not in {DATA}: set INLOOP_DATA to the folder that holds kbvqa",
)


def asked(*texts, **more):
    return Asked(id="q", humans=tuple(Human(text=text, id=place) for place, text in enumerate(texts)), **more)


def ten(**counts):
    return asked(*(text.replace("_", " ") for text, count in counts.items() for _ in range(count)))


# --- published files ---


def figures():
    if not EXPECTED.is_file():
        return []
    return [
        (entry["file"], entry["dataset"], rule, score)
        for entry in json.loads(EXPECTED.read_text(encoding="utf-8"))
        for rule, score in entry["computed"].items()
    ]


@published
def test_every_rule_gives_the_expected_score_to_four_decimals():
    questions = {
        "OK-VQA val": read_asked(DATA / "okvqa_val_vqa_format_annotations.json"),
        "A-OKVQA val": read_asked(DATA / "aokvqa_val_with_question_related_captions.json"),
    }
    assert len(figures()) == 36
    for file, dataset, rule, score in figures():
        predictions = read_predictions(DATA / "predictions" / file, find_rule(rule))
        made = accuracy_of(predictions, questions[dataset], rule=rule)
        assert (round(made.score, 4), made.rule, made.missing, made.unknown) == (score, rule, 0, 0), (file, rule)


@published
def test_plain_and_official_annotations_give_the_same_questions():
    plain = read_asked(DATA / "okvqa_val_questions_answers_captions.json")
    official = read_asked(DATA / "okvqa_val_vqa_format_annotations.json")
    assert [[h.text for h in q.humans] for q in plain] == [[h.text for h in q.humans] for q in official]


@published
def test_multiple_choice_on_real_questions():
    questions = read_asked(DATA / "aokvqa_val_with_question_related_captions.json")
    right = {question.id: question.correct or "" for question in questions}
    first = {question.id: question.choices[0] for question in questions}
    assert accuracy_of(right, questions, rule="mc").score == 100
    assert accuracy_of(right, questions, rule="multiple_choice_easy_only").n == 1075
    assert 20 < accuracy_of(first, questions, rule="mc").score < 30


# --- the rules ---


@pytest.mark.parametrize(
    ("matches", "official", "thirds", "tenths"),
    [(0, 0, 0, 0), (1, 0.3, 1 / 3, 0.3), (2, 0.6, 2 / 3, 0.6), (3, 0.9, 1, 0.9), (4, 1, 1, 1), (9, 1, 1, 1)],
)
def test_how_matches_count(matches, official, thirds, tenths):
    question = ten(cat=matches, dog=10 - matches)
    assert vqa_accuracy("cat", question, rule="official") == pytest.approx(official)
    assert vqa_accuracy("cat", question, rule="min3") == pytest.approx(thirds)
    assert vqa_accuracy("cat", question, rule="quick_0_3_rule") == pytest.approx(tenths)


def test_identical_human_answers_switch_the_official_normalisation_off():
    assert vqa_accuracy("Dolly", ten(dolly=10), rule="official") == 0
    assert vqa_accuracy("Dolly", ten(dolly=10), rule="always") == 1
    assert vqa_accuracy("Dolly", ten(dolly=9, sheep=1), rule="official") == 1
    blanks = asked("dolly", "dolly ", " dolly\n", "dolly", "dolly")  # taken off before the answers are compared
    assert vqa_accuracy("Dolly", blanks, rule="official") == 0
    assert vqa_accuracy("dolly ", blanks, rule="official") == 1


def test_people_with_one_id_are_one_person():
    """Without unique ids the official leave-one-out drops every duplicate."""
    humans = tuple(Human(text="cat" if place < 4 else "dog", id=0) for place in range(10))
    assert vqa_accuracy("cat", Asked(id="q", humans=humans), rule="official") == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("u.s.a.", "usa"),
        ("10,000", "10000"),
        ("t-shirt", "t shirt"),
        ("3.5 ft.", "3.5 ft"),
        ("a/c", "c"),
        ("none", "0"),
        ("The Two Cats", "2 cats"),
        ("dont", "don't"),
        ("couldnt've", "couldn't've"),
        ("couldntve", "couldntve"),
        ("somebody'd", "somebodyd"),
        ("wed", "wed"),
        ("cat ,dog", "cat dog"),
        ("a\tb\nb", "b b"),
    ],
)
def test_official_normalisation(said, meant):
    humans = asked(meant, meant, meant, meant, "x y z")
    assert vqa_accuracy(said, humans, rule="official") == 1
    assert vqa_accuracy(said, humans, rule="raw_exact_min_count_over_3") == 0 or said == meant


def test_squad_and_lower_and_exact():
    question = ten(the_Blue_Bus=5, bus=5)
    assert vqa_accuracy("blue-bus!", question, rule="squad") == 0
    assert vqa_accuracy("a blue bus!", question, rule="squad") == 1
    assert vqa_accuracy(" THE blue bus", question, rule="exact_strip_lower_all") == 1
    assert vqa_accuracy(" THE blue bus", question, rule="exact_all") == 0


def test_difficult_questions_are_left_out_where_the_rule_says_so():
    questions = [asked("cat", "cat", "cat").model_copy(update={"id": key, "difficult": key == "b"}) for key in "ab"]
    made = accuracy_of({"a": "cat", "b": "dog"}, questions, rule="aokvqa")
    assert (made.score, made.n, made.left_out) == (100, 1, 1)
    assert accuracy_of({"a": "cat", "b": "dog"}, questions, rule="exact_all").score == 50


def test_a_missing_prediction_counts_0_and_is_told():
    questions = [asked("cat", "cat", "cat").model_copy(update={"id": key}) for key in "ab"]
    made = accuracy_of({"a": "cat", "z": "cat"}, questions, rule="min3")
    assert (made.score, made.n, made.missing, made.unknown) == (50, 2, 1, 1)
    with pytest.raises(BadInput, match="do not belong together"):
        accuracy_of({"z": "cat"}, questions, rule="min3")


def test_the_rule_has_no_default_and_an_unknown_one_lists_the_known():
    with pytest.raises(TypeError):
        vqa_accuracy("cat", asked("cat"))  # type: ignore[call-arg]
    with pytest.raises(BadInput, match=r"no VQA rule 'soft'.*official_leave_one_out.*multiple_choice"):
        vqa_accuracy("cat", asked("cat"), rule="soft")


words = st.text(alphabet="abCD 'dont.,?-/\n1two", max_size=12)


@given(words, st.lists(words, min_size=1, max_size=10), st.sampled_from([r for r in RULES if "choice" not in r]))
def test_accuracies_lie_in_0_to_1_and_order_does_not_matter(said, humans, rule):
    value = vqa_accuracy(said, asked(*humans), rule=rule)
    assert 0 <= value <= 1
    assert vqa_accuracy(said, asked(*humans[::-1]), rule=rule) == pytest.approx(value)


@given(words, st.lists(words, min_size=1, max_size=10))
def test_leaving_one_out_is_never_kinder(said, humans):
    assert vqa_accuracy(said, asked(*humans), rule="official") <= vqa_accuracy(said, asked(*humans), rule="min3") + 1e-9


# --- files ---


def write(path, content):
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_prediction_files_in_every_form(tmp_path):
    rule, choice = find_rule("aokvqa"), find_rule("mc")
    rows = [{"question_id": 1, "answer": "cat"}, {"question_id": "x", "answer": 3}]
    assert read_predictions(write(tmp_path / "a", rows), rule) == {"1": "cat", "x": "3"}
    assert read_predictions(write(tmp_path / "a", {"results": rows}), rule) == {"1": "cat", "x": "3"}
    assert read_predictions(write(tmp_path / "b", {"1": "cat"}), rule) == {"1": "cat"}
    both = write(tmp_path / "c", {"1": {"direct_answer": "cat", "multiple_choice": "a cat"}})
    assert read_predictions(both, rule) == {"1": "cat"} and read_predictions(both, choice) == {"1": "a cat"}
    chosen = write(tmp_path / "d", [{"question_id": 1, "multiple_choice": "a cat"}])
    assert has_answers(chosen, choice) and not has_answers(chosen, rule)
    assert has_answers(both, choice) and has_answers(tmp_path / "b", choice)  # a text may be a choice


def test_answers_that_are_written_as_text(tmp_path):
    row = {"question_id": 1, "direct_answers": """["don't", 'a "b"']"""}
    assert [human.text for human in read_asked(write(tmp_path / "a", [row]))[0].humans] == ["don't", 'a "b"']
    with pytest.raises(BadInput, match="row 0 is no annotated question"):
        read_asked(write(tmp_path / "b", [{**row, "direct_answers": "don't"}]))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], "no predictions"),
        ("cat", "no predictions"),
        ([{"answer": "cat"}], "row 0 has no 'question_id'"),
        ([{"question_id": 1, "answer": None}], "'1' is no text: .* left out"),
        ([{"question_id": 1, "answer": "a"}, {"question_id": "1", "answer": "b"}], "'1' is answered twice"),
    ],
)
def test_bad_prediction_files_are_named(tmp_path, content, words):
    with pytest.raises(BadInput, match=words):
        read_predictions(write(tmp_path / "p.json", content), find_rule("official"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"questions": []}, "no annotations"),
        ([{"question_id": 1}], "row 0 is no annotated question"),
        ([{"question_id": 1, "answers": ["a"]}] * 2, "annotated twice"),
        ([{"question_id": 1, "answers": [], "choices": ["a"], "correct_choice_idx": 4}], "row 0"),
    ],
)
def test_bad_annotation_files_are_named(tmp_path, content, words):
    with pytest.raises(BadInput, match=words):
        read_asked(write(tmp_path / "a.json", content))
    with pytest.raises(BadInput, match="cannot be read"):
        read_asked(tmp_path / "nowhere.json")
    (tmp_path / "x.json").write_text("{", encoding="utf-8")
    with pytest.raises(BadInput, match="no JSON"):
        read_asked(tmp_path / "x.json")
