"""Every promise that the README makes under "Honest by construction" is held by tests, which are named here."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HELD_BY = {
    "A failure is never a score": [
        "tests/graphs/opt2i/test_opt2i.py::test_what_could_not_be_asked_is_unscored_not_zero",
        "tests/graphs/opt2i/test_opt2i.py::test_a_picture_that_cannot_be_painted_is_no_score_and_no_end",
        "tests/graphs/opt2i/test_loop.py::test_a_second_scorer_that_cannot_score_is_not_scored_because",
        "tests/graphs/opt2i/test_loop.py::test_a_search_that_can_score_nothing_stops_before_it_paints_on",
        "tests/graphs/score/test_score_loop.py::test_one_text_that_cannot_be_scored_takes_no_other_with_it",
        "tests/tools/data/test_pictures.py::test_values_that_are_no_grey_are_not_scored",
    ],
    "Questions are about the whole prompt": [
        "tests/agents/scene/test_simple_english.py::test_a_graph_holds_every_content_word_or_names_it",
        "tests/agents/scene/test_simple_english.py::test_what_is_not_understood_whole_has_no_graph_and_a_reason",
        "tests/agents/scene/test_simple_english.py::test_a_writer_says_what_it_did_not_ask_and_never_falls_back_on_half_a_graph",
    ],
    "A gain is called one only where it is more than luck": [
        "tests/evaluators/stats/test_verdicts.py::test_a_gain_is_called_one_only_by_more_than_luck",
        "tests/evaluators/stats/test_verdicts.py::test_a_few_equal_values_are_no_interval_of_width_0",
        "tests/graphs/opt2i/test_loop.py::test_a_gain_on_few_unseen_seeds_is_no_gain",
    ],
    "A finished model call is never paid twice": [
        "tests/graphs/opt2i/test_opt2i.py::test_killed_ten_times_and_resumed_it_is_the_run_that_was_never_killed",
        "tests/graphs/opt2i/test_opt2i.py::test_a_second_run_makes_no_call_and_comes_to_the_same",
    ],
    "What a loop optimised against, it does not report on": [
        "tests/graphs/opt2i/test_opt2i.py::test_a_loose_prompt_gets_better_and_the_gain_is_on_unseen_seeds",
        "tests/graphs/opt2i/test_opt2i.py::test_the_baselines_get_as_many_pictures",
    ],
}


def promises() -> list[str]:
    section = re.search(r"## Honest by construction\n(.*?)\n## ", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    return re.findall(r"^- (.+)", section[1], re.MULTILINE)


def test_every_promise_names_its_tests():
    said = promises()
    assert len(said) == len(HELD_BY)
    for promise in said:
        assert [held for held in HELD_BY if promise.startswith(held)], f"no test is named for: {promise}"


@pytest.mark.parametrize("named", [each for tests in HELD_BY.values() for each in tests])
def test_a_named_test_is_there_and_runs(named):
    path, _, name = named.partition("::")
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    found = [node for node in tree.body if getattr(node, "name", "") == name]
    assert len(found) == 1
    marks = [ast.unparse(mark) for mark in found[0].decorator_list]
    assert not [mark for mark in marks if "skip" in mark or "xfail" in mark]
