"""`inloop certify`: the published figures where their answers are at hand, and every quirk of the released rule on small files."""

import csv
import json
import os
from pathlib import Path

import pytest

from inloop.app.cli import main as cli
from inloop.evaluators.run.published import correlate, figures
from inloop.evaluators.text_image.dsg_release import read_annotations, read_answers, read_ratings, score_answers
from inloop.runtime.errors import BadInput, PrerequisiteError

DATA = Path(os.environ.get("INLOOP_DATA", Path(__file__).parents[4] / "shared" / "data"))
DSG = DATA / "opt2i" / "dsg"
released_data = pytest.mark.skipif(
    not (DSG / "tifa160-likert-anns.csv").is_file(),
    reason=f"the DSG repository's CSV files are not in {DSG}: set INLOOP_DATA to the folder that holds opt2i/dsg",
)


def certify(capsys, *argv):
    code = cli.main(["certify", *map(str, argv)])
    out, err = capsys.readouterr()
    return code, out, err


# --- the published figures ---


@released_data
def test_all_published_figures_are_equal(capsys):
    code, out, _ = certify(capsys, "--data", DATA, "--json")
    told = json.loads(out)
    assert code == 0 and told["different"] == told["unchecked"] == 0
    assert told["equal"] == len(told["figures"]) >= 12
    assert {row["decimals"] for row in told["figures"] if "DSG" in row["what"]} == {3}


@released_data
def test_the_forms_that_others_rely_on(capsys):
    files = ("--annotations", DSG / "dsg-1k-anns.csv", "--answers", DSG / "instructblip_dsg.csv")
    ratings = ("--ratings", DSG / "tifa160-likert-anns.csv")
    code, out, _ = certify(capsys, "dsg", *files, *ratings, "--rule", "released", "--json")
    told = json.loads(out)
    assert code == 0 and (round(told["spearman"], 3), round(told["kendall"], 3), told["n"]) == (0.442, 0.364, 800)
    _, out, _ = certify(capsys, "dsg", *files, *ratings, "--no-dependencies", "--json")
    assert round(json.loads(out)["spearman"], 3) == 0.436
    _, out, _ = certify(capsys, "dsg", *files, "--json")
    models = json.loads(out)["t2i_models"]
    assert {name: found["n"] for name, found in models.items()} == {
        "mini-dalle": 160, "vq-diffusion": 160, "sd1dot1": 160, "sd1dot5": 160, "sd2dot1": 1060,
    }  # fmt: skip
    assert len(models["sd2dot1"]["by_source"]) == 10 and len(models["sd2dot1"]["by_category"]) == 8
    assert models["sd2dot1"]["by_source"]["tifa160"] != models["mini-dalle"]["by_source"]["tifa160"]


@released_data
def test_strict_reports_what_it_does_not_score():
    annotations, ratings = read_annotations(DSG / "dsg-1k-anns.csv"), read_ratings(DSG / "tifa160-likert-anns.csv")
    assert len(annotations.malformed) == 10 and annotations.parents["tifa160_67"][8] == (1,)
    rows = read_answers(DSG / "mplug_dsg.csv")
    scores = score_answers(rows, annotations, rule="strict", wanted=ratings)
    found = correlate([score.value for score in scores], list(ratings.values()))
    assert (found.n, found.unscored) == (795, 5), "the item without answers is not taken for a 0"
    assert round(found.spearman or 0, 3) == 0.455


# --- the rules on files that fit on a screen ---


def table(path, header, *rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header.split(), *rows])
    return path


@pytest.fixture
def files(tmp_path):
    annotations = table(
        tmp_path / "anns.csv",
        "item_id proposition_id dependency question_natural_language",
        ["count_1", 1, "0", "a?"],
        ["count_1", 2, "1", "b?"],
        ["count_1", 3, "2", "c?"],
        ["count_2", 1, "0", "a?"],
        ["count_2", 2, "1, left", "b?"],
        ["count_3", 1, "0", "a?"],
        ["count_3", 2, "1", "b?"],
    )
    answers = table(
        tmp_path / "answers.csv",
        "t2i_model item_id question question_id answer",
        ["m", "count_1", "a?", 1, "no"],
        ["m", "count_1", "b?", 2, "yes"],
        ["m", "count_1", "c?", 3, "yes"],
        ["m", "count_2", "a?", 1, "no"],
        ["m", "count_2", "b?", 2, "yes"],
    )
    return annotations, answers


def values(annotations, answers, **how):
    made = score_answers(read_answers(answers), read_annotations(annotations), **how)
    return {score.item: score.value for score in made}


def test_the_released_rule_with_its_quirks(files):
    # the grandchild survives; a malformed row costs its item all edges; an item without answers is a 0
    assert values(*files, rule="released") == {"count_1": 1 / 3, "count_2": 1 / 2, "count_3": 0}
    assert values(*files, rule="released", dependencies=False) == {"count_1": 2 / 3, "count_2": 1 / 2, "count_3": 0}


def test_the_strict_rule_keeps_edges_and_makes_up_nothing(files):
    assert values(*files, rule="strict") == {"count_1": 0, "count_2": 0, "count_3": None}


def test_only_the_very_word_counts_and_the_last_answer_wins(tmp_path, files):
    answers = table(
        tmp_path / "more.csv",
        "t2i_model item_id question question_id answer",
        ["m", "count_1", "a?", 1, "yes"],
        ["m", "count_1", "b?", 2, "Yes"],
        ["m", "count_3", "a?", 1, "no"],
        ["m", "count_3", "a?", 1, "yes"],
    )
    # c? was never asked: left out of the released mean, and no score under the strict one
    assert values(files[0], answers, rule="released") == {"count_1": 1 / 2, "count_2": 0, "count_3": 1}
    assert values(files[0], answers, rule="strict") == {"count_1": None, "count_2": None, "count_3": None}


def test_answers_without_question_ids_have_no_dependencies(tmp_path, files):
    answers = table(
        tmp_path / "vq2a.csv",
        "t2i_model item_id question answer",
        ["m", "count_1", "a?", "no"],
        ["m", "count_1", "b?", "yes"],
    )
    assert values(files[0], answers, rule="released") == {"count_1": 1 / 2, "count_2": 0, "count_3": 0}
    [alone] = score_answers(read_answers(answers), None, rule="released")
    assert alone.value == 1 / 2 and alone.source == "count"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("answers", "t2i_model,item_id\nm,i\n", "no column 'answer'"),
        (
            "answers",
            "t2i_model,item_id,question_id,answer\nm,i,first,yes\n",
            "line 2: question_id 'first' is no number",
        ),
        ("answers", "t2i_model,item_id,answer\n", "holds no answers"),
        ("answers", "t2i_model,item_id,answer\nm,i\n", "line 2: there is nothing in column 'answer'"),
        ("annotations", "item_id,proposition_id,dependency\ni,?,0\n", "line 2: proposition_id '\\?' is no number"),
        ("ratings", "t2i_model,item_id,answer\nm,i,good\n", "line 2: the rating 'good' is no number"),
    ],
)
def test_bad_files_are_named_with_their_line(tmp_path, name, content, words):
    path = tmp_path / f"{name}.csv"
    path.write_text(content, encoding="utf-8")
    read = {"answers": read_answers, "annotations": read_annotations, "ratings": read_ratings}[name]
    with pytest.raises(BadInput, match=words):
        read(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput):
        read(path)
    with pytest.raises(BadInput, match="cannot be read"):
        read(tmp_path / "nowhere.csv")


# --- the command ---


def test_dsg_in_words(capsys, tmp_path, files):
    annotations, answers = files
    code, out, _ = certify(capsys, "dsg", "--annotations", annotations, "--answers", answers)
    assert code == 0 and "m: 27.8 % over 3 items (rule released, 1 without answers)" in out
    assert "1 dependencies in" in out and "their items lose every edge" in out
    ratings = table(
        tmp_path / "r.csv", "t2i_model item_id answer", *(["m", f"count_{n}", 6 - n] for n in (1, 2, 3)), ["x", "y", 1]
    )
    code, out, _ = certify(capsys, "dsg", "--annotations", annotations, "--answers", answers, "--ratings", ratings)
    assert code == 0 and "Spearman 0.500" in out and "over 3 items" in out
    assert certify(capsys, "dsg", "--answers", answers)[0] == cli.BAD_INPUT


def test_your_own_ratings(capsys, tmp_path):
    scores, ratings = tmp_path / "s.jsonl", tmp_path / "r.csv"
    scores.write_text('{"id": 1, "score": 0.1}\n{"id": 2, "score": 0.5}\n{"id": 3, "score": null}\n', encoding="utf-8")
    table(ratings, "id rating", *([n, n + rater % 2] for n in (1, 2, 3) for rater in range(4)))
    code, out, _ = certify(capsys, "ratings", "--scores", scores, "--ratings", ratings, "--json")
    told = json.loads(out)
    assert code == 0 and (told["spearman"], told["n"], told["unscored"]) == (pytest.approx(1), 2, 1)
    assert told["ceiling"]["items"] == 3
    code, out, _ = certify(capsys, "ratings", "--scores", scores, "--ratings", ratings)
    assert "1 rated items have no score" in out and "ceiling" in out
    scores.write_text('{"id": 9, "score": 0.1}\n', encoding="utf-8")
    code, _, err = certify(capsys, "ratings", "--scores", scores, "--ratings", ratings)
    assert code == cli.BAD_INPUT and "the ids must be the same" in err


def test_vqa_rules_in_the_command(capsys, tmp_path):
    predictions, annotations = tmp_path / "p.json", tmp_path / "a.json"
    predictions.write_text('{"1": "cat"}', encoding="utf-8")
    annotations.write_text('[{"question_id": 1, "answers": ["cat", "cat", "dog"]}]', encoding="utf-8")
    files = ("--predictions", predictions, "--annotations", annotations)
    code, out, _ = certify(capsys, "vqa", *files, "--rule", "min_count_over_3", "--json")
    told = json.loads(out)
    assert code == 0 and (told["score"], told["n"], told["rule"]) == (66.6667, 1, "min_count_over_3")
    _, out, _ = certify(capsys, "vqa", *files, "--rule", "all", "--json")
    results = json.loads(out)["results"]
    assert [r["rule"] for r in results][:1] == ["official_leave_one_out"] and len(results) == 6
    alone = tmp_path / "one.json"
    alone.write_text('[{"question_id": 1, "answers": [{"answer": "cat"}]}]', encoding="utf-8")
    code, out, _ = certify(capsys, "vqa", "--predictions", predictions, "--annotations", alone, "--rule", "all")
    assert code == 0 and "  0.0000  official_leave_one_out over 1 questions, 1 with fewer than 4 human answers" in out
    assert "100.0000  any_human_answer over 1 questions\n" in out
    annotations.write_text(
        '[{"question_id": 1, "direct_answers": ["cat"], "choices": ["cat", "dog"], "correct_choice_idx": 0}]',
        encoding="utf-8",
    )
    predictions.write_text('{"1": {"multiple_choice": "cat"}}', encoding="utf-8")
    code, out, _ = certify(capsys, "vqa", *files, "--rule", "all", "--json")  # what the file has answers for
    assert code == 0 and {r["rule"]: r["score"] for r in json.loads(out)["results"]} == {
        "multiple_choice": 100,
        "multiple_choice_easy_only": 100,
    }
    code, _, err = certify(capsys, "vqa", *files, "--rule", "nice")
    assert code == cli.BAD_INPUT and "no VQA rule 'nice'" in err


def test_without_data_it_says_what_is_missing(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("INLOOP_DATA", raising=False)
    code, _, err = certify(capsys)
    assert code == cli.PREREQUISITE and "--data" in err and "j-min/DSG" in err
    (tmp_path / "opt2i" / "dsg").mkdir(parents=True)
    code, out, _ = certify(capsys, "--data", tmp_path)
    assert code == cli.FAILED and "12 not checked" in out and "dsg-1k-anns.csv is missing" in out
    with pytest.raises(PrerequisiteError):
        next(figures(tmp_path / "nowhere"))


@released_data
def test_a_different_figure_is_told_and_fails(capsys, tmp_path):
    """The same files with one rater's figures turned round: the table must say so."""
    (tmp_path / "opt2i").mkdir()
    folder = tmp_path / "opt2i" / "dsg"
    folder.mkdir()
    for path in DSG.glob("*.csv"):
        (folder / path.name).symlink_to(path)
    ratings = folder / "tifa160-likert-anns.csv"
    text = ratings.read_text(encoding="utf-8")
    ratings.unlink()
    lines = text.splitlines()
    ratings.write_text(
        "\n".join([lines[0], *(line[:-1] + "1" for line in lines[1:900]), *lines[900:]]), encoding="utf-8"
    )
    code, out, _ = certify(capsys, "--data", tmp_path)
    assert code == cli.FAILED and "DIFFERENT" in out
