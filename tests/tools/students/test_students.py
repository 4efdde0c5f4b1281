"""Students: trained once, resumed as if unbroken, saved and loaded, and honest about what they cannot say."""

import asyncio
import json
import threading

import numpy as np
import pytest

from inloop.runtime.errors import BadInput, InloopError, Interrupted, PrerequisiteError
from inloop.runtime.records import Row
from inloop.runtime.store.open import Store
from inloop.tools.students.base import CARD
from inloop.tools.students.open import open_student
from inloop.tools.tasks.kinds import Classification, ShortAnswer
from inloop.tools.training import checkpoint
from inloop.tools.training.batches import batches
from inloop.tools.training.fine_tuning import Recipe

pytestmark = pytest.mark.trains

COLOURS = Classification(labels=("red", "blue"))


@pytest.fixture
def store(settings):
    with Store.open(settings) as opened:
        yield opened


def rows_of(count=12, seed=0):
    rng = np.random.default_rng(seed)
    rows = []
    for place in range(count):
        label = ("red", "blue")[place % 2]
        thing = rng.choice(["disc", "box", "star"])
        rows.append(Row(id=str(place), text=f"{rng.choice(['a', 'the'])} {label} {thing}", label=label))
    return rows


@pytest.mark.parametrize(("length", "size", "seed", "epoch"), [(1, 4, 0, 0), (37, 4, 1, 2), (400, 16, 2, 0)])
def test_every_row_comes_once_an_epoch(length, size, seed, epoch):
    lengths = [n % 23 for n in range(length)]
    made = batches(lengths, size, seed, epoch)
    assert sorted(row for batch in made for row in batch) == list(range(length))
    assert made == batches(lengths, size, seed, epoch)
    assert length < 2 or made != batches(lengths, size, seed, epoch + 1) != batches(lengths, size, seed + 1, epoch)
    padding = sum(max(lengths[row] for row in batch) * len(batch) for batch in made)
    assert padding <= 1.5 * sum(lengths) + size * 23


@pytest.mark.parametrize("rows", [1, 2, 47, 70, 98, 200, 5_000])
def test_few_rows_are_seen_often_enough_to_be_learned(rows):
    def steps(batch):
        return len(batches([8] * rows, batch, seed=0, epoch=0))

    batch, epochs = Recipe().plan(rows)
    assert 4 <= batch <= 16 and epochs >= 5 and epochs * steps(batch) >= 80
    # batches get smaller before rows come more often
    assert epochs == 5 or (batch == 4 and (epochs - 1) * steps(batch) < 80)
    assert batch in (4, 16) or 5 * steps(batch + 1) < 90  # and no smaller than that needs
    assert Recipe(epochs=3, batch=7).plan(rows) == (7, 3)
    assert Recipe(batch=16).plan(rows) == (16, max(5, -(-80 // steps(16))))
    assert Recipe(updates=1).plan(rows) == (16, 5) or rows * 5 < 16
    assert Recipe(epochs=2).plan(rows)[1] == 2


async def test_an_untold_number_of_epochs_is_told_and_kept(llama_folder, settings, store):
    pytest.importorskip("peft", reason="peft is not installed: pip install 'inloop[students]'")
    told = []
    student = open_student(f"lora:{llama_folder}?rank=2&batch=6&updates=14", COLOURS, settings, store, say=told.append)
    training = await student.fit(rows_of(12), seed=0)
    assert training.steps == 14 and len(training.losses) == 7 and "epoch 7/7" in " ".join(told)
    longer = open_student(f"lora:{llama_folder}?rank=2&batch=6&updates=16", COLOURS, settings, store)
    assert longer.revision != open_student(student.spec, COLOURS, settings, store).revision
    await student.aclose()


async def test_the_embedding_student_learns_what_is_linear(bert_folder, settings, store, tmp_path):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'inloop[students]'")
    student = open_student(f"embedding:{bert_folder}?c=1e5", COLOURS, settings, store)
    with pytest.raises(BadInput, match="not trained yet"):
        await student.predict(["red"])
    before = student.revision
    training = await student.fit(rows_of(), seed=0)
    assert training.seconds is not None and student.fitted and student.revision != before
    said = await student.predict([row.text for row in rows_of()])  # its own: the encoder is random, and knows no more
    assert [one.text for one in said] == [row.label for row in rows_of()]
    assert all(abs(sum(one.scores.values()) - 1) < 1e-9 for one in said)
    from sklearn.linear_model import LogisticRegression

    vectors = await student._embedder.texts([row.text for row in rows_of()])
    plain = LogisticRegression(C=1e5, max_iter=2000).fit(vectors, [row.label for row in rows_of()])
    wanted = plain.predict_proba(await student._embedder.texts(["red stars"]))[0]
    [got] = await student.predict(["red stars"])
    assert [got.scores[label] for label in plain.classes_] == pytest.approx(list(wanted), abs=1e-3)
    student.save(tmp_path / "kept")
    again = open_student(str(tmp_path / "kept"), COLOURS, settings, store)
    assert again.revision == student.revision and await again.predict(["red stars"]) == [got]
    other = student.fresh()
    assert not other.fitted and other.revision == before
    assert (await other.fit(rows_of(), seed=0)).seconds is None
    await student.aclose()


async def test_three_classes_and_one_that_is_not_among_the_rows(bert_folder, settings, store):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'inloop[students]'")
    task = Classification(labels=("red", "blue", "green", "none"))
    rows = [
        *rows_of(),
        *(Row(id=f"g{n}", text=f"a green {t}", label="green") for n, t in enumerate(("disc", "box", "star"))),
    ]
    student = open_student(f"embedding:{bert_folder}?c=1e5", task, settings, store)
    await student.fit(rows, seed=1)
    [said] = await student.predict(["a green box"])
    assert said.text == "green" and said.scores["none"] == 0.0 and len(said.scores) == 4
    await student.aclose()


async def test_a_writing_student_learns_to_answer_with_labels(llama_folder, settings, store, tmp_path):
    pytest.importorskip("peft", reason="peft is not installed: pip install 'inloop[students]'")
    spec = f"full:{llama_folder}?epochs=14&rate=0.01&batch=6"
    told = []
    student = open_student(spec, COLOURS, settings, store, say=told.append)
    training = await student.fit(rows_of(24), seed=0)
    assert training.checked == (
        "a red star\nLabel:".replace("a red star", rows_of(24)[0].text),
        f" {rows_of(24)[0].label}<|im_end|>",
    )
    assert len(training.losses) == 14 and training.losses[-1] < 0.2 * training.losses[0] and training.steps == 14 * 4
    assert sum("epoch" in line for line in told) == 14
    seen = rows_of(24)
    said = await student.predict([row.text for row in seen])
    right = [COLOURS.grade(one, row).right for one, row in zip(said, seen, strict=True)]
    assert sum(right) == len(seen)
    assert all(abs(sum(one.scores.values()) - 1) < 1e-6 for one in said)
    assert all(max(one.scores, key=one.scores.get) == row.label for one, row in zip(said, seen, strict=True))
    bare = await student.predict([row.text for row in seen[:5]], scores=False)
    assert [one.text for one in bare] == [one.text for one in said[:5]] and bare[0].scores is None
    paid = store.ledger.counts()["student"]["paid"]
    assert await student.predict([row.text for row in seen[:3]]) == said[:3]
    assert store.ledger.counts()["student"]["paid"] == paid
    student.save(tmp_path / "kept")
    again = open_student(str(tmp_path / "kept"), COLOURS, settings, store)
    assert again.revision == student.revision
    with pytest.raises(BadInput, match="another task"):
        open_student(str(tmp_path / "kept"), Classification(labels=("x", "y")), settings, store)
    (tmp_path / "kept/config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BadInput, match=r"config\.json' is missing or was changed"):
        open_student(str(tmp_path / "kept"), COLOURS, settings, store)
    await student.aclose()


async def test_label_probabilities_are_those_of_the_whole_label(llama_folder, settings, store):
    """Against the plain way: each prompt with each label in one forward pass, no cache, no padding."""
    pytest.importorskip("peft", reason="peft is not installed: pip install 'inloop[students]'")
    import torch

    task = Classification(labels=("re", "red", "deep blue"))
    student = open_student(f"lora:{llama_folder}?epochs=1&rank=2", task, settings, store)
    rows = [Row(id=str(n), text=f"{label} star", label=label) for n, label in enumerate(("re", "red", "deep blue"))]
    await student.fit(rows, seed=0)
    texts = ["red", "a longer deep blue thing"]
    said = await student.predict(texts)
    net = student._net
    for text, one in zip(texts, said, strict=True):
        likely = []
        for label in task.labels:
            ids, start = student.encode(Row(id="x", text=text, label=label))
            with torch.no_grad():
                shares = net(torch.tensor([ids])).logits[0].log_softmax(-1)
            likely.append(sum(float(shares[place - 1, ids[place]]) for place in range(start, len(ids))))
        wanted = torch.softmax(torch.tensor(likely), 0).tolist()
        assert [one.scores[label] for label in task.labels] == pytest.approx(wanted, abs=1e-4)
    await student.aclose()


async def test_a_lora_student_trains_its_adapter_alone_and_can_be_served(llama_folder, settings, store, tmp_path):
    pytest.importorskip("peft", reason="peft is not installed: pip install 'inloop[students]'")
    from inloop.runtime.serving.adapters import check_base, find_adapter

    student = open_student(f"lora:{llama_folder}?epochs=2&rank=4", COLOURS, settings, store)
    training = await student.fit(rows_of(), seed=0)
    # q, k, v, o, gate, up, down of two layers, each 4 * (in + out)
    assert training.parameters == 2 * 4 * (2 * 128 + 2 * 96 + 3 * 192)
    adapter = find_adapter(f"colours={student.folder}", settings.cache_dir)
    assert adapter.rank == 4
    check_base(adapter, json.loads((llama_folder / "config.json").read_text(encoding="utf-8")))
    same = student.fresh()
    assert (await same.fit(rows_of(), seed=0)).seconds is None and same.revision == student.revision
    other = student.fresh()
    assert (await other.fit(rows_of(), seed=1)).seconds is not None and other.revision != student.revision
    for name in ("README.md", "adapter_config.json"):
        text = (student.folder / name).read_text(encoding="utf-8")
        assert student.weights.model in text
        assert str(llama_folder) not in text.replace(student.weights.model, ""), (
            "the base by its name, not where it lies"
        )
    await student.aclose()


async def test_a_broken_training_goes_on_as_an_unbroken_one(llama_folder, settings, store, tmp_path, monkeypatch):
    pytest.importorskip("peft", reason="peft is not installed: pip install 'inloop[students]'")
    from safetensors.torch import load_file

    monkeypatch.setattr(checkpoint, "_PAUSE", 0.0)
    spec = f"lora:{llama_folder}?epochs=3&rank=2&batch=4"
    student = open_student(spec, COLOURS, settings, store)
    reference = await student.fit(rows_of(), seed=0)
    whole = load_file(student.folder / "adapter_model.safetensors")
    with Store(tmp_path / "other") as other:
        told = []

        def say(text):
            told.append(text)
            if "epoch 1/" in text:
                broken._stop.set()

        broken = open_student(spec, COLOURS, settings, other, say=say)
        broken._stop = threading.Event()
        real = broken._train
        broken._train = lambda rows, seed, work, out, prepared, stop: real(
            rows, seed, work, out, prepared, broken._stop
        )
        with pytest.raises(Interrupted, match="goes on"):
            await broken.fit(rows_of(), seed=0)
        assert not broken.fitted and not list((tmp_path / "other/students").glob(f"*/{CARD}"))
        [work] = (tmp_path / "other/students/.work").iterdir()
        (work / ".checkpoint.pt.1.tmp").write_bytes(b"PK")  # what a kill in the middle of writing leaves
        going_on = open_student(spec, COLOURS, settings, other, say=told.append)
        training = await going_on.fit(rows_of(), seed=0)
        assert any("goes on from step 3/9" in line for line in told)
        resumed = load_file(going_on.folder / "adapter_model.safetensors")
        assert training.losses == pytest.approx(reference.losses, rel=1e-6) and training.steps == reference.steps
        assert not (tmp_path / "other/students/.work" / work.name).exists()
    assert whole.keys() == resumed.keys() and all(np.array_equal(whole[name], resumed[name]) for name in whole)
    await student.aclose()


async def test_cancelling_ends_the_training_at_the_next_step(llama_folder, settings, store):
    pytest.importorskip("peft", reason="peft is not installed: pip install 'inloop[students]'")
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()
    student = open_student(
        f"lora:{llama_folder}?epochs=5000&rank=2", COLOURS, settings, store,
        say=lambda text: loop.call_soon_threadsafe(begun.set),
    )  # fmt: skip
    fitting = asyncio.create_task(student.fit(rows_of(4), seed=0))
    await begun.wait()
    fitting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fitting
    assert not student.fitted
    other = open_student(f"lora:{llama_folder}?epochs=1&rank=2", COLOURS, settings, store)
    await asyncio.wait_for(other.fit(rows_of(4), seed=0), 60)  # waits for the first one to have ended
    await other.aclose()


async def test_the_classifier_learns(bert_folder, settings, store, tmp_path):
    seen = rows_of()  # its own: what a random encoder makes of other texts depends on the last bit of its weights
    for seed in (0, 1):
        student = open_student(f"classifier:{bert_folder}?epochs=12&rate=0.003&batch=4", COLOURS, settings, store)
        training = await student.fit(seen, seed=seed)
        assert training.losses[-1] < 0.05 * training.losses[0]
        said = await student.predict([row.text for row in seen])
        assert [one.text for one in said] == [row.label for row in seen]
        assert all(abs(sum(one.scores.values()) - 1) < 1e-6 and max(one.scores.values()) > 0.9 for one in said)
    student.save(tmp_path / "kept")
    again = open_student(str(tmp_path / "kept"), COLOURS, settings, store)
    assert await again.predict([seen[0].text]) == [said[0]]
    await student.aclose()


async def test_open_answers_are_written_and_graded(llama_folder, settings, store):
    pytest.importorskip("peft", reason="peft is not installed: pip install 'inloop[students]'")
    task = ShortAnswer(match="number", tokens=4)
    student = open_student(f"lora:{llama_folder}?epochs=1&rank=2", task, settings, store)
    rows = [Row(id=str(n), text=f"{n} and 1", label=str(n + 1)) for n in range(4)]
    await student.fit(rows, seed=0)
    said = await student.predict(["7 and 1"])
    assert said[0].scores is None and task.grade(said[0], rows[0]).outcome in ("wrong", "format")
    await student.aclose()


def test_rows_that_do_not_fit_are_named_before_anything_is_paid(llama_folder, settings, store):
    student = open_student(f"lora:{llama_folder}?length=40", COLOURS, settings, store)
    long = [*rows_of(), Row(id="long one", text="a red star " * 9, label="red")]
    with pytest.raises(
        BadInput, match=r"1 of 13 rows are too long.*'long one' \(\d+ tokens, and 40 are read\).*length=N"
    ):
        student.check(long)
    with pytest.raises(BadInput, match="nothing to tell apart"):
        student.check(rows_of()[::2])
    assert student.check(rows_of()) == rows_of()


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("", "names no student"),
        ("locall", "names no student"),
        ("lora:", "names no student"),
        ("embedding:{bert}?c=0", "c: .*The options are c"),
        ("lora:{llama}?epoch=3", "epoch: .*options are epochs"),
        ("classifier:{bert}?rate=x", "rate"),
        ("lora:{llama}/none", "none"),
    ],
)
def test_specs_that_name_none(spec, said, bert_folder, llama_folder, settings, store):
    with pytest.raises(InloopError, match=said):
        open_student(spec.format(bert=bert_folder, llama=llama_folder), COLOURS, settings, store)


def test_a_folder_or_id_opens_what_fits_it(bert_folder, llama_folder, settings, store):
    assert open_student(str(llama_folder), COLOURS, settings, store).kind == "lora"
    assert open_student(str(bert_folder), COLOURS, settings, store).kind == "classifier"
    for spec in (f"embedding:{bert_folder}", f"classifier:{bert_folder}"):
        with pytest.raises(BadInput, match="has none"):
            open_student(spec, ShortAnswer(), settings, store)


def test_every_choice_changes_the_name(llama_folder, settings, store):
    specs = [f"lora:{llama_folder}{options}" for options in ("", "?rank=8", "?epochs=4", "?rate=0.1", "?method=full")]
    names = {open_student(spec, COLOURS, settings, store).revision for spec in specs}
    names.add(open_student(specs[0], Classification(labels=("red", "green")), settings, store).revision)
    assert len(names) == 6
    assert Recipe().rate is None
    # a batch in one part is called what it was before there were parts
    assert "accumulate" not in Recipe().model_dump() and Recipe(accumulate=2).model_dump()["accumulate"] == 2


async def test_a_tokenizer_that_would_teach_something_else_is_refused(llama_folder, settings, store, monkeypatch):
    pytest.importorskip("peft", reason="peft is not installed: pip install 'inloop[students]'")
    student = open_student(f"lora:{llama_folder}", COLOURS, settings, store)
    real = student.encode
    monkeypatch.setattr(student, "encode", lambda row: (real(row)[0], real(row)[1] + 2))
    with pytest.raises(PrerequisiteError, match="where 'red<|im_end|>' is to be learned".replace("|", r"\|")):
        await student.fit(rows_of(), seed=0)
