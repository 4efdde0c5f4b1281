"""Embeddings of texts: those of transformers, whatever they are batched with, and nothing is cut in silence."""

import json
import shutil

import numpy as np
import pytest
from servers import fails, serving

from inloop.runtime.errors import BadInput, CallFailed, PrerequisiteError
from inloop.runtime.store.open import Store
from inloop.tools.encoders import open_text_embedder

TEXTS = ["a red disc", "two stars on the left of a blue box", "is there a star in the picture ?", "box"]


@pytest.fixture
def store(settings):
    with Store.open(settings) as opened:
        yield opened


def plain(folder, texts, pool="mean"):
    """The vectors as the model card of sentence-transformers computes them, one text at a time."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    vectors = []
    for text in texts:
        with torch.no_grad():
            states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        vector = {"mean": states.mean(0), "cls": states[0], "max": states.max(0).values, "lasttoken": states[-1]}[pool]
        vectors.append((vector / vector.norm()).numpy())
    return np.array(vectors)


@pytest.mark.parametrize("pool", ["mean", "cls", "max", "lasttoken"])
async def test_vectors_are_those_of_transformers(bert_folder, settings, store, pool):
    embedder = open_text_embedder(f"{bert_folder}?pool={pool}", store, settings)
    got = np.array(await embedder.texts(TEXTS))
    assert np.abs(got - plain(bert_folder, TEXTS, pool)).max() < 1e-5
    assert np.abs(np.linalg.norm(got, axis=1) - 1).max() < 1e-6
    await embedder.aclose()


async def test_vectors_do_not_depend_on_their_company_and_are_paid_once(bert_folder, settings, store, tmp_path):
    embedder = open_text_embedder(str(bert_folder), store, settings)
    together = await embedder.texts(TEXTS)
    again = open_text_embedder(str(bert_folder), store, settings)
    assert await again.texts(TEXTS[::-1]) == together[::-1]
    assert not again.loaded and store.ledger.counts()["embedding"] == {"paid": 4, "reused": 4}
    with Store(tmp_path / "other") as other:
        alone = open_text_embedder(str(bert_folder), other, settings)
        assert [(await alone.texts([text]))[0] for text in TEXTS] == together
        await alone.aclose()
    await embedder.aclose()


async def test_all_of_a_long_text_counts(bert_folder, settings, store):
    embedder = open_text_embedder(f"{bert_folder}?tokens=16", store, settings)
    start = "a red disc to the left of a blue box and two green stars in"
    one, other, same = await embedder.texts([f"{start} the picture", f"{start} there yes yes", f"{start} the picture "])
    assert np.dot(one, other) < 0.9999
    assert np.allclose(one, same, atol=1e-6)
    await embedder.aclose()


async def test_the_folder_says_how_it_is_pooled_and_prompted(bert_folder, settings, store, tmp_path):
    folder = tmp_path / "st"
    shutil.copytree(bert_folder, folder)
    modules = [{"path": "", "type": "sentence_transformers.models.Transformer"}, {"path": "1_P", "type": "x.Pooling"}]
    (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    (folder / "1_P").mkdir()
    (folder / "1_P/config.json").write_text(
        json.dumps({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}), encoding="utf-8"
    )
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 24}', encoding="utf-8")
    (folder / "config_sentence_transformers.json").write_text('{"prompts": {"query": "what is "}}', encoding="utf-8")
    embedder = open_text_embedder(str(folder), store, settings)
    assert (embedder.pool, embedder.window) == ("cls", 24)
    [asked] = await embedder.texts(["star"], role="query")
    assert np.abs(np.array(asked) - plain(bert_folder, ["what is star"], "cls")[0]).max() < 1e-5
    assert await embedder.texts(["star"], role="document") == await embedder.texts(["star"])
    with pytest.raises(BadInput, match="'answer'"):
        await embedder.texts(["star"], role="answer")
    await embedder.aclose()
    modules.append({"path": "2_Dense", "type": "sentence_transformers.models.Dense"})
    (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    with pytest.raises(BadInput, match="'Dense'"):
        open_text_embedder(str(folder), store, settings)


@pytest.mark.parametrize(
    ("options", "said"), [("pool=sum", "pool="), ("tokens=4", "8 or more"), ("batch=0", "'0'"), ("bath=1", "batch=N")]
)
def test_options_that_do_not_fit(bert_folder, settings, store, options, said):
    with pytest.raises(BadInput, match=said):
        open_text_embedder(f"{bert_folder}?{options}", store, settings)


async def test_what_cannot_be_embedded(bert_folder, settings, store, tmp_path):
    embedder = open_text_embedder(str(bert_folder), store, settings)
    with pytest.raises(BadInput, match="empty"):
        await embedder.texts(["a", " "])
    await embedder.aclose()
    with pytest.raises(BadInput, match="nobody"):
        open_text_embedder(str(tmp_path / "nobody"), store, settings)


def vectors(numbers):
    def behave(handler, body):
        data = [{"object": "embedding", "index": i, "embedding": numbers(text)} for i, text in enumerate(body["input"])]
        handler.json(
            {
                "object": "list",
                "data": data[::-1],
                "model": body["model"],
                "usage": {"prompt_tokens": 1, "total_tokens": 1},
            }
        )

    return behave


async def test_a_server_embeds_in_batches_and_each_text_is_paid_once(settings, store):
    with serving() as server:
        server.behaviours = [vectors(lambda text: [3.0, 4.0 * len(text)])]
        embedder = open_text_embedder(f"{server.url}#e", store, settings)
        got = await embedder.texts(["x", "xx", "x"])
        assert got[0] == pytest.approx([0.6, 0.8]) and got[0] == got[2] and got[1] != got[0]
        await embedder.texts(["x", "xxx"])
        sent = [text for body in server.seen for text in body.get("input", ())]
        assert sorted(sent) == ["x", "xx", "xxx"]
        await embedder.aclose()


@pytest.mark.parametrize("numbers", [lambda text: [0.0, 0.0], lambda text: [], lambda text: [1.0] * len(text)])
async def test_a_server_that_answers_nonsense_is_a_failure(settings, store, numbers):
    with serving() as server:
        server.behaviours = [vectors(numbers)]
        embedder = open_text_embedder(f"{server.url}#e", store, settings)
        with pytest.raises(CallFailed, match="usable"):
            await embedder.texts(["x", "xx"])
        assert store.ledger.failures()
        await embedder.aclose()


async def test_a_server_that_refuses_says_what_to_do(settings, store):
    with serving() as server:
        server.behaviours = [fails(404)]
        embedder = open_text_embedder(f"{server.url}#e", store, settings)
        with pytest.raises(PrerequisiteError, match="v1#MODEL"):
            await embedder.texts(["x"])
        await embedder.aclose()


@pytest.mark.slow
async def test_minilm_knows_what_is_alike(store):
    from inloop.runtime.settings import Settings

    try:
        embedder = open_text_embedder("minilm", store, Settings.load(threads=1))
    except PrerequisiteError as error:
        pytest.skip(str(error))
    cat, kitten, market = np.array(await embedder.texts(["a cat", "a kitten", "the stock market fell"]))
    assert cat @ kitten > 0.7 and abs(cat @ market) < 0.2
    await embedder.aclose()
