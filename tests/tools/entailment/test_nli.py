"""The NLI cross-encoder: a small BERT of the real class with random weights, held against transformers itself."""

import json

import pytest

from inloop.runtime.errors import BadInput, CallFailed, PrerequisiteError
from inloop.runtime.store.open import Store
from inloop.tools.entailment.nli import open_nli

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "tea", "is", "hot", "not", "cold", "."]


@pytest.fixture(scope="module")
def nli_folder(tmp_path_factory):
    """A BERT classifier with random weights."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder = tmp_path_factory.mktemp("nli")
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=32).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=32, id2label={0: "CONTRADICTION", 1: "ENTAILMENT", 2: "NEUTRAL"},
        label2id={"CONTRADICTION": 0, "ENTAILMENT": 1, "NEUTRAL": 2},
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


async def test_labels_are_read_by_name_and_nothing_is_paid_twice(nli_folder, settings):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    pairs = [("tea is hot .", "tea is hot ."), ("tea is hot .", "tea is not hot ."), ("tea", "cold")]
    with Store.open(settings) as store:
        judge = open_nli(str(nli_folder), store, settings)
        found = await judge.judge(pairs)
        again = await judge.judge([*reversed(pairs)])
        paid = store.ledger.counts()["nli"]["paid"]
        await judge.aclose()
    assert paid == 3 and again == [*reversed(found)]
    tokenizer, model = (
        kind.from_pretrained(nli_folder) for kind in (AutoTokenizer, AutoModelForSequenceClassification)
    )
    for (premise, hypothesis), judged in zip(pairs, found, strict=True):
        with torch.inference_mode():
            against, entails, _ = (
                model(**tokenizer(premise, hypothesis, return_tensors="pt")).logits.softmax(-1)[0].tolist()
            )
        assert judged.supports == pytest.approx(entails, abs=1e-5)
        assert judged.contradicts == pytest.approx(against, abs=1e-5)


async def test_a_pair_is_judged_alike_in_any_company(nli_folder, settings, tmp_path):
    long = " ".join(["tea is hot ."] * 5)
    pairs = [("tea is hot .", "tea is cold ."), (long, "tea is hot .")]
    together, alone = [], []
    with Store.open(settings) as store:
        judge = open_nli(str(nli_folder), store, settings)
        together = await judge.judge(pairs)
        await judge.aclose()
    for place, pair in enumerate(pairs):
        with Store(tmp_path / f"alone{place}") as store:
            judge = open_nli(str(nli_folder), store, settings)
            alone += await judge.judge([pair])
            await judge.aclose()
    assert [each.supports for each in together] == pytest.approx([each.supports for each in alone], abs=1e-6)


async def test_onnx_judges_as_torch_does(nli_folder, settings, tmp_path):
    for part in ("onnxruntime", "onnx", "onnxscript"):
        pytest.importorskip(part, reason="the extra onnx is not installed: pip install 'inloop[onnx]'")
    pairs = [("tea is hot .", "tea is not hot ."), ("tea", "cold"), (" ".join(["tea is hot ."] * 9), "tea")]
    found = {}
    for backend in ("torch", "onnx"):
        with Store(tmp_path / backend) as store:
            judge = open_nli(f"{nli_folder}?backend={backend}", store, settings)
            found[backend] = await judge.judge(pairs)
            await judge.aclose()
    for torch, onnx in zip(found["torch"], found["onnx"], strict=True):
        assert onnx.supports == pytest.approx(torch.supports, abs=1e-5)
        assert onnx.contradicts == pytest.approx(torch.contradicts, abs=1e-5)


async def test_onnx_reads_a_model_whose_tokenizer_tells_no_segments(settings, tmp_path):
    """RoBERTa counts one kind of segment, and its tokenizer gives none."""
    for part in ("onnxruntime", "onnx", "onnxscript"):
        pytest.importorskip(part, reason="the extra onnx is not installed: pip install 'inloop[onnx]'")
    import torch
    from transformers import RobertaConfig, RobertaForSequenceClassification, RobertaTokenizerFast

    folder, words = tmp_path / "roberta", ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *"teaishoc"]
    folder.mkdir()
    vocab = {word: place for place, word in enumerate(dict.fromkeys(words))}
    (folder / "vocab.json").write_text(json.dumps(vocab), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    RobertaTokenizerFast(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=32, model_input_names=["input_ids", "attention_mask"]
    ).save_pretrained(folder)  # fmt: skip
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=len(vocab), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=34, type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2,
        id2label={0: "CONTRADICTION", 1: "ENTAILMENT", 2: "NEUTRAL"},
        label2id={"CONTRADICTION": 0, "ENTAILMENT": 1, "NEUTRAL": 2},
    )  # fmt: skip
    RobertaForSequenceClassification(config).save_pretrained(folder)
    supports = {}
    for backend in ("torch", "onnx"):
        with Store(tmp_path / backend) as store:
            judge = open_nli(f"{folder}?backend={backend}", store, settings)
            supports[backend] = [
                each.supports for each in await judge.judge([("teaishot", "teaishot"), ("tea", "cat")])
            ]
            await judge.aclose()
    assert supports["onnx"] == pytest.approx(supports["torch"], abs=1e-5)


def test_an_option_that_is_not_known_is_refused(nli_folder, settings):
    with Store.open(settings) as store:
        for options in ("bakend=onnx", "backend=torch&batch=1"):
            with pytest.raises(BadInput, match=r"no option '(bakend|batch)'; the option is backend="):
                open_nli(f"{nli_folder}?{options}", store, settings)


async def test_a_smaller_batch_is_not_advised_where_it_cannot_be_asked_for(nli_folder, settings, monkeypatch):
    def fail(self, items):
        raise MemoryError("no memory")

    monkeypatch.setattr("inloop.tools.entailment.nli.NLI._serve", fail)
    with Store.open(settings) as store:
        judge = open_nli(f"{nli_folder}?backend=torch", store, settings)
        with pytest.raises(PrerequisiteError, match="does not fit") as raised:
            await judge.judge([("tea", "tea")])
        assert "INLOOP_DEVICE=cpu" in raised.value.remedy and "batch" not in raised.value.remedy
        await judge.aclose()


async def test_a_statement_that_is_too_long_is_refused_alone(nli_folder, settings):
    import asyncio

    pair, long = ("tea is hot .", "tea is cold ."), " ".join(["tea is hot ."] * 9)
    with Store.open(settings) as store:
        judge = open_nli(str(nli_folder), store, settings)
        [fine], refused, [cut] = await asyncio.gather(
            judge.judge([pair]), judge.judge([("tea", long)]), judge.judge([(long, "tea")]), return_exceptions=True
        )
        [alone] = await judge.judge([pair])
        assert fine == alone and 0 < cut.supports < 1
        assert isinstance(refused, CallFailed) and "reads 32 tokens" in str(refused) and "has 36" in str(refused)
        await judge.aclose()


async def test_a_model_names_its_own_lines(nli_folder, settings, tmp_path):
    import shutil

    folder = tmp_path / "own"
    shutil.copytree(nli_folder, folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "thresholds": {"entails": 0.8}}), encoding="utf-8")
    with Store.open(settings) as store:
        judge = open_nli(str(folder), store, settings)
        assert judge.thresholds["entails"] == 0.8 and judge.thresholds["contradicts"] == 0.5


def test_a_model_of_another_kind_is_refused(nli_folder, settings, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    config = json.loads((nli_folder / "config.json").read_text(encoding="utf-8"))
    config["id2label"] = {"0": "LABEL_0", "1": "LABEL_1"}
    (other / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with Store.open(settings) as store, pytest.raises(BadInput, match="no model of inference"):
        open_nli(str(other), store, settings)
