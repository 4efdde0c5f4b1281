"""Tasks: numbers compare as numbers, a format failure is not a wrong answer, a label slip is found."""

import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from inloop.runtime.errors import BadInput
from inloop.runtime.records import Prediction, Row
from inloop.tools.tasks.answers import as_number, same_words
from inloop.tools.tasks.kinds import Classification, Extraction, MultipleChoice, ShortAnswer, open_task, slip_of

INTENTS = Classification(labels=("GetWeather", "PlayMusic", "RateBook"))


def row(label, text="some text", **meta):
    return Row(id="1", text=text, label=label, meta=meta)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-5", "-5"), ("\u22125", "-5"), ("-$5", "-5"), ("$-5", "-5"), ("1/2", "1/2"), ("\u00bd", "1/2"), ("1\u00bd", "3/2"), ("1 1/2", "3/2"),
        ("1,000", "1000"), ("1,000,000.5", "2000001/2"), ("0.50", "1/2"), (".5", "1/2"), ("1e3", "1000"), ("$18", "18"),
        ("18.", "18"), ("18 eggs", "18"), ("50%", "50"), ("5 km", "5"), ("5km", "5"),
    ],
)  # fmt: skip
def test_a_number_is_read_as_what_it_is(text, value):
    assert as_number(text) == Fraction(value)


@pytest.mark.parametrize(
    "text", ["", "five", "5 or 6", "3-5", "12:30", "1,5", "1,00", "5k", "2/0", "--5", "x=5", "18 = 18", "1.2.3", "$"]
)
def test_what_is_not_one_number_is_none(text):
    assert as_number(text) is None


@bounds(deadline=None)
@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_numbers_survive_being_written(top, bottom):
    for written in (f"{top}/{bottom}", f"${top:,}" if top >= 0 else f"-${-top:,}", f"{top:,} apples"):
        wanted = Fraction(top, bottom) if "/" in written else Fraction(top)
        assert as_number(written) == wanted


@bounds(deadline=None)
@given(st.text(max_size=200))
def test_readers_take_any_text(text):
    as_number(text)
    assert same_words(text, text)
    for task, label in ((INTENTS, "GetWeather"), (ShortAnswer(match="number"), "7"), (MultipleChoice(), "A")):
        assert task.grade(text, row(label)).outcome in ("right", "wrong", "format")
    assert Extraction(fields={"a": "int"}).grade(text, row('{"a": 1}')).outcome in ("wrong", "format")


def test_words_keep_signs_and_fractions():
    assert same_words("The Eiffel Tower.", "eiffel tower")
    assert same_words("1,000 dogs", "1000 dogs")
    assert not same_words("-5", "5")
    assert not same_words("1/2", "12")


def test_grades_tell_wrong_from_no_answer():
    number = ShortAnswer(match="number")
    assert number.grade("5", row("-5")).outcome == "wrong"
    assert number.grade("12", row("1/2")).outcome == "wrong"
    assert number.grade("0.5", row("1/2")).outcome == "right"
    assert number.grade("1000", row("1,000")).outcome == "right"
    assert number.grade("I do not know", row("5")).outcome == "format"
    assert ShortAnswer(match="exact").grade("paris", row("Paris")).outcome == "wrong"
    assert ShortAnswer().grade(" the paris.", row("Paris")).outcome == "right"
    assert ShortAnswer().grade(" ", row("Paris")).outcome == "format"


def test_the_answer_of_gsm8k_is_behind_the_last_mark():
    task = ShortAnswer(match="number", marker="####")
    gold = row("She has 3*6 = 18.\n#### 18")
    assert task.grade("3 times 6\n#### 18", gold).outcome == "right"
    assert task.grade("#### 17\n#### 18 eggs", gold).outcome == "right"
    verdict = task.grade("it is 18", gold)
    assert verdict.outcome == "format" and "####" in verdict.explanation
    assert task.completion(row("18", rationale="3*6 = 18")).endswith("#### 18")


def test_a_label_may_be_written_otherwise_and_is_never_guessed():
    for said in ("GetWeather", " getweather.", "'GetWeather'"):
        assert INTENTS.grade(said, row("GetWeather")).right
    assert INTENTS.grade("PlayMusic", row("GetWeather")).outcome == "wrong"
    verdict = INTENTS.grade("GetWeathr", row("GetWeather"))
    assert verdict.outcome == "format" and "Did you mean 'GetWeather'" in verdict.explanation
    assert INTENTS.grade("GetWeather PlayMusic", row("GetWeather")).outcome == "format"


def test_labels_that_differ_in_case_alone_are_two():
    task = Classification(labels=("May", "may"))
    assert task.read("may") == "may" and task.read("May") == "May"
    assert task.grade("MAY", row("may")).outcome == "format"


@pytest.mark.parametrize(
    ("label", "count", "meant"),
    [
        ("flght", 1, "flight"),
        ("Flight", 2, "flight"),
        ("flght", 3, None),
        ("flight_no", 1, None),
        ("flight#fare", 1, None),
        ("class 12", 1, None),
        ("clas 2", 1, "class 2"),
    ],
)
def test_what_is_a_slip_of_a_label_and_what_a_label_of_its_own(label, count, meant):
    assert slip_of(label, count, {"flight": 40, "class 2": 40, "fare": 2}) == meant


def test_slips_in_labels_are_found_with_what_may_be_meant():
    rows = [Row(id=str(n), text=f"t{n}", label=("GetWeather", "PlayMusic")[n % 2]) for n in range(20)]
    slip = [*rows, Row(id="x7", text="rain?", label="GetWeathr")]
    with pytest.raises(BadInput, match=r"'x7' .*'GetWeathr' comes once.*Did you mean 'GetWeather'"):
        Classification.of(slip)
    with pytest.raises(BadInput, match=r"'x7'.*none of the labels.*Did you mean 'GetWeather'"):
        INTENTS.check(slip)
    assert Classification.of(rows).labels == ("GetWeather", "PlayMusic")
    numbered = [Row(id=str(n), text=f"t{n}", label=f"class {n % 12}") for n in range(60)]
    assert len(Classification.of(numbered).labels) == 12


@pytest.mark.parametrize(("rows", "said"), [([], "no rows"), ([row("a"), row("a")], "nothing to tell apart")])
def test_rows_that_teach_nothing_are_refused(rows, said):
    with pytest.raises(BadInput, match=said):
        Classification.of(rows)
    with pytest.raises(BadInput, match=said):
        Classification(labels=("a", "b")).check(rows)


def test_choices_are_put_under_the_question_once():
    task = MultipleChoice()
    one = task.row("q1", "What is the largest animal?", "blue whale", choices=["ant", "blue whale"])
    assert one.text == "What is the largest animal?\nA) ant\nB) blue whale" and one.label == "B"
    assert task.row(one.id, one.text, one.label, **one.meta) == one
    assert task.row("q2", "?", "1", choices=["ant", "blue whale"]).label == "B"
    for said in ("B", "b)", "(B)", "B. blue whale", "Blue whale.", "B: blue whale"):
        assert task.grade(said, one).right, said
    assert task.grade("A", one).outcome == "wrong"
    for said in ("", "C", "A) blue whale", "Both", "AB", "ants"):
        assert task.grade(said, one).outcome == "format", said
    with pytest.raises(BadInput, match="2 to 26"):
        task.row("q3", "?", "A", choices=["ant"])


@pytest.mark.parametrize(
    ("choices", "label", "letter"),
    [
        (("one", "two", "three"), "1", "A"), (("0", "1", "2"), "two", "C"), (("1", "0"), "0", "B"), (("1,000", "100"), "one hundred", "B"),
        (("two dogs", "one dog"), "1 dog", "B"), (("a cat", "the dog"), "dog", "B"), (("ant", "whale"), "1", "B"), (("five", "seven"), "1", "B"),
        (("second", "first"), "1", "B"), (("twenty-one", "21st"), "21", "A"), (("5", "-5"), "minus five", "B"),
    ],
)  # fmt: skip
def test_what_a_choice_says_comes_before_its_place(choices, label, letter):
    task = MultipleChoice()
    row = task.row("q", "How many?", label, choices=choices)
    assert row.label == letter and task.grade(choices["ABC".index(letter)], row).right
    if not label.isdecimal() or letter == "A":
        assert task.grade(label, row).right


def test_a_number_that_no_choice_says_is_no_answer():
    row = MultipleChoice().row("q", "How many?", "five", choices=["five", "seven"])
    for said in ("1", "six", "5 or 7", "fifth"):
        assert MultipleChoice().grade(said, row).outcome == "format", said
    assert MultipleChoice().grade("7", row).outcome == "wrong"


def test_extraction_compares_field_by_field():
    task = Extraction(fields={"name": "str", "amount": "float", "tags": "list[str]", "note": "str | None"})
    gold = task.row("1", "t", json.dumps({"name": "The Acme Corp.", "amount": 12, "tags": ["new"]}))
    said = '```json\n{"amount": 12.0, "tags": ["New"], "name": "acme corp", "note": null}\n```'
    assert task.grade(said, gold).right
    verdict = task.grade('{"name": "Acme Corp", "amount": 1.2, "tags": ["new"]}', gold)
    assert verdict.outcome == "wrong" and verdict.parts == {"name": True, "amount": False, "tags": True, "note": True}
    for bad in ("{}", "[1]", "name: Acme", '{"name": "x", "amount": NaN, "tags": []}', '{"name": "x"'):
        assert task.grade(bad, gold).outcome == "format", bad
    with pytest.raises(BadInput, match=r"'1'.*amount"):
        task.row("1", "t", '{"name": "x", "amount": "much", "tags": []}')


def test_tasks_are_opened_by_name_file_or_code(tmp_path):
    rows = [row("yes"), row("no")]
    assert open_task("classification", rows) == Classification(labels=("no", "yes"))
    assert open_task("short-answer", match="number") == ShortAnswer(match="number")
    described = tmp_path / "task.json"
    described.write_text(json.dumps({"kind": "extraction", "fields": {"a": "int"}}), encoding="utf-8")
    assert open_task(str(described)) == Extraction(fields={"a": "int"})
    own = tmp_path / "parity.py"
    own.write_text(
        "from inloop.tools.tasks.base import NoAnswer, Task\n"
        "class Parity(Task):\n"
        "    kind: str = 'parity'\n"
        "    template: str = 'rows/student_short_answer'\n"
        "    def read(self, said, row=None):\n"
        "        if said.strip() not in ('odd', 'even'):\n"
        "            raise NoAnswer('say odd or even')\n"
        "        return said.strip()\n"
        "task = Parity()\n",
        encoding="utf-8",
    )
    task = open_task(str(own))
    assert task.grade(Prediction(text=" odd "), row("odd")).right
    assert task.grade("maybe", row("odd")).outcome == "format"
    assert task.prompt("3") == "Question: 3\nAnswer:"


@pytest.mark.parametrize(
    ("spec", "options", "said"),
    [
        ("clasification", {}, "Did you mean 'classification'"),
        ("short_answer", {"match": "fuzzy"}, "match"),
        ("extraction", {"fields": {"a": "date"}}, "'date'"),
        ("missing.json", {}, "cannot be read"),
        ("missing.py", {}, "does not exist"),
    ],
)
def test_tasks_that_are_none_are_refused(spec, options, said):
    with pytest.raises(BadInput, match=said):
        open_task(spec, **options)


def test_a_task_is_named_by_what_it_asks():
    assert INTENTS.sha256 == Classification(labels=INTENTS.labels).sha256
    assert INTENTS.sha256 != Classification(labels=("a", "b")).sha256
    assert ShortAnswer().sha256 != ShortAnswer(match="number").sha256
