"""The retrieval measures, against pytrec_eval where it is installed and against its recorded figures everywhere."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inloop.evaluators.rag.retrieval import evaluate_run, mrr, ndcg, ranked, recall
from inloop.runtime.errors import BadInput
from inloop.tools.data.beir import read_corpus, read_qrels, read_queries

MEASURES = ("ndcg@3", "ndcg@10", "recall@3", "recall@10", "mrr@100000")
THEIRS = ("ndcg_cut_3", "ndcg_cut_10", "recall_3", "recall_10", "recip_rank")

# recorded from pytrec_eval-terrier 0.5.11: ties in d2/d10/d1 and b/B/ä, an unjudged first hit, grades 0 to 3
QRELS = {
    "q1": {"d1": 1, "d2": 0, "d10": 2, "d4": 1},
    "q2": {"ä": 3, "b": 1, "B": 0},
    "q3": {"x": 1, "y": -1},
}
RUN = {
    "q1": {"d2": 1.5, "d10": 1.5, "d1": 1.5, "d9": 0.25},
    "q2": {"b": 0.1, "B": 0.1, "ä": 0.10000000001, "zzz": 7.0},
    "q3": {"y": 2.0, "x": -1.0},
}


def ours(run, qrels):
    return evaluate_run(run, qrels, MEASURES).queries


def test_ties_are_ordered_as_trec_eval_orders_them():
    assert ranked({"d2": 1.5, "d10": 1.5, "d1": 1.5}) == ["d2", "d10", "d1"]
    # 0.1 and 0.10000000001 are one 32-bit float; bytes of UTF-8 order the ids, the last first
    assert ranked({"b": 0.1, "B": 0.1, "ä": 0.10000000001}) == ["ä", "b", "B"]


def test_values_by_hand():
    judged = {"a": 2, "b": 1, "c": 0}
    assert ndcg(["c", "a", "b"], judged, 10) == pytest.approx((2 / math.log2(3) + 1 / 2) / (2 + 1 / math.log2(3)))
    assert ndcg(["c", "a", "b"], judged, 1) == 0
    assert recall(["c", "a"], judged, 2) == 0.5
    assert mrr(["c", "a"], judged, 10) == 0.5 and mrr(["c", "a"], judged, 1) == 0
    assert ndcg(["a"], {"a": 0}, 10) is None and recall([], {}, 10) is None and mrr(["a"], {"b": -1}, 1) is None


def test_recorded_figures():
    recorded = {
        "q1": (0.5627, 0.5627, 2 / 3, 2 / 3, 0.5),
        "q2": (0.6590, 0.6590, 1.0, 1.0, 0.5),
        "q3": (0.6309, 0.6309, 1.0, 1.0, 0.5),
    }
    found = ours(RUN, QRELS)
    for query, values in recorded.items():
        assert tuple(found[query].values()) == pytest.approx(values, abs=5e-5), query


def theirs(run, qrels):
    pytrec_eval = pytest.importorskip(
        "pytrec_eval", reason="pytrec_eval is not installed: pip install pytrec-eval-terrier"
    )
    evaluator = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.3,10", "recall.3,10", "recip_rank"})
    return evaluator.evaluate(run)


def test_pytrec_eval_says_the_same():
    check(RUN, QRELS)


IDS = st.sampled_from(["a", "b", "B", "ab", "a1", "a10", "a2", "ä", "漢", "-", "Z", "z"])


@settings(deadline=None, max_examples=150)
@given(
    scores=st.dictionaries(IDS, st.sampled_from([-1.0, 0.0, 0.1, 0.10000000001, 0.5, 3.0, 1e30]), min_size=1),
    judged=st.dictionaries(IDS, st.integers(-1, 3), min_size=1).filter(lambda given: max(given.values()) > 0),
)
def test_pytrec_eval_says_the_same_of_anything(scores, judged):
    check({"q": scores}, {"q": judged})


def check(run, qrels):
    wanted = theirs(run, qrels)
    for query, values in ours(run, qrels).items():
        assert list(values.values()) == pytest.approx([wanted[query][name] for name in THEIRS], abs=1e-9), query


def test_what_is_missing_is_counted():
    report = evaluate_run(
        {"q1": {"a": 1.0}, "other": {"a": 1.0}}, {"q1": {"a": 1}, "q2": {"a": 1}, "q3": {"a": 0}}, ["mrr@10"]
    )
    assert report.queries == {"q1": {"mrr@10": 1.0}, "q2": {"mrr@10": 0.0}, "q3": {"mrr@10": None}}
    assert report.measures["mrr@10"].value == 0.5 and report.measures["mrr@10"].unscored == 1
    assert report.without_results == 2
    same = evaluate_run({"q": {"q": 2.0, "a": 1.0}}, {"q": {"a": 1}}, ["mrr@10"], ignore_identical_ids=True)
    assert same.measures["mrr@10"].value == 1.0
    for wrong in ("ndcg", "map@10", "ndcg@0"):
        with pytest.raises(BadInput, match="no measure"):
            evaluate_run({}, {"q": {"a": 1}}, [wrong])
    with pytest.raises(BadInput, match="not a number"):
        evaluate_run({"q": {"a": math.nan}}, {"q": {"a": 1}})


def test_beir_files(tmp_path):
    def put(name, text):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    corpus = put("corpus.jsonl", '{"_id": "1", "title": "T", "text": "x"}\n\n{"_id": "2", "text": "", "title": ""}\n')
    [passage] = read_corpus(corpus)
    assert (passage.id, passage.indexed) == ("1", "T\nx")
    assert read_queries(put("queries.jsonl", '{"_id": 7, "text": "why"}\n')) == {"7": "why"}
    assert read_qrels(put("a.tsv", "query-id\tcorpus-id\tscore\n7\t1\t2\n7\t2\t0\n")) == {"7": {"1": 2, "2": 0}}
    assert read_qrels(put("b.txt", "7 0 1 2\n")) == {"7": {"1": 2}}
    odd = "\nqid\tdocid\trel\r\n7\ta b\t1.0\t\r\n7\t0\t-1\n7\t0\t3\n"
    assert read_qrels(put("odd.tsv", odd)) == {"7": {"a b": 1, "0": 3}}
    twice = '{"_id": 0, "text": "x"}\n{"id": "0", "title": null, "text": "x"}\n{"_id": "2", "text": "half \\ud83e"}'
    assert [(one.id, one.text) for one in read_corpus(put("twice.jsonl", twice))] == [("0", "x"), ("2", "half ?")]
    assert read_queries(put("same.jsonl", '{"_id": 0, "text": "x"}\n{"_id": 0, "text": "x"}')) == {"0": "x"}
    for name, text, reader, reason in (
        (
            "c.jsonl",
            '{"_id": "1", "text": "x"}\n{"_id": "1", "text": "y"}\n',
            lambda p: list(read_corpus(p)),
            ":2: .*twice",
        ),
        ("j.jsonl", '{"_id": "1", "contents": "x"}', lambda p: list(read_corpus(p)), ":1: .*no 'text'"),
        ("k.jsonl", '{"_id": "1", "text": ["x"]}', lambda p: list(read_corpus(p)), ":1: 'text' must be a text"),
        (
            "l.jsonl",
            f'{{"_id": "{"u" * 600}", "text": "x"}}',
            lambda p: list(read_corpus(p)),
            ":1: the id .* 600 letters",
        ),
        ("m.jsonl", '{"_id": 1, "text": "x"}\n{"_id": 1, "text": "y"}', read_queries, ":2: .*twice"),
        ("n.tsv", "7\t1\t0.5\n", read_qrels, ":1: .*no judgement"),
        ("d.jsonl", "no json\n", read_queries, ":1: no JSON"),
        ("e.jsonl", "[]\n", read_queries, ":1: an object"),
        ("f.jsonl", '{"_id": "1"}\n', read_queries, ":1: 'text' is missing"),
        ("g.tsv", "query-id\tcorpus-id\tscore\n7\t1\tgood\n", read_qrels, ":2: .*no judgement"),
        ("h.tsv", "", read_qrels, "no judgements"),
        ("i.jsonl", "", read_queries, "is empty"),
    ):
        with pytest.raises(BadInput, match=reason):
            reader(put(name, text))
    with pytest.raises(BadInput, match="cannot be read"):
        read_queries(tmp_path / "absent.jsonl")
