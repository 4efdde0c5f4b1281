"""Soups against small exact examples, and the rules that must hold for any models."""

import asyncio
import math

import pytest
import torch
from hypothesis import given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from inloop.runtime.errors import BadInput
from inloop.runtime.records import Row
from inloop.runtime.store.open import Store
from inloop.tools.students.open import open_student
from inloop.tools.students.soups import (
    Factors,
    compressed,
    greedy_choice,
    merged,
    model_stock,
    read_adapter,
    soup,
    stock_ratio,
    uniform,
)
from inloop.tools.tasks.kinds import Classification

REAL = st.floats(-10, 10, allow_nan=False, width=32)


def tensor(*values):
    return torch.tensor(values, dtype=torch.float32)


def states(count):
    return st.lists(
        st.lists(REAL, min_size=4, max_size=4).map(lambda v: {"w": torch.tensor(v)}), min_size=count, max_size=count
    )


def test_the_ratio_of_model_stock():
    assert stock_ratio(1.0, 2) == 1.0 == stock_ratio(1.0, 7)
    assert stock_ratio(0.5, 2) == pytest.approx(2 / 3)  # the paper's 2 cos / (1 + cos)
    assert stock_ratio(0.5, 4) == pytest.approx(4 * 0.5 / (3 * 0.5 + 1))
    for cosine in (0.0, -0.2, -0.5, -1.0):  # the plain formula gives infinity at -1/(k-1), and more than 1 below
        assert stock_ratio(cosine, 3) == 0.0
    with pytest.raises(BadInput, match="cosine"):
        stock_ratio(1.2, 2)


@bounds(deadline=None)
@given(st.floats(-1, 1), st.integers(1, 50))
def test_the_ratio_is_between_base_and_mean(cosine, count):
    assert 0.0 <= stock_ratio(cosine, count) <= 1.0
    assert stock_ratio(max(cosine, 0.01), count + 1) >= stock_ratio(max(cosine, 0.01), count) - 1e-12


def test_uniform_is_the_mean_in_the_models_own_dtype():
    half = {"w": torch.tensor([1.0, 2.0], dtype=torch.bfloat16), "n": torch.tensor([3])}
    other = {"w": torch.tensor([3.0, 4.0], dtype=torch.bfloat16), "n": torch.tensor([3])}
    mixed = uniform([half, other])
    assert mixed["w"].dtype == torch.bfloat16 and mixed["w"].tolist() == [2.0, 3.0] and mixed["n"].tolist() == [3]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ([], "no models"),
        ([{"a": tensor(1)}, {"b": tensor(1)}], "a is in one"),
        ([{"a": tensor(1)}, {"a": tensor(1, 2)}], r"\(1,\) in one model and \(2,\)"),
        ([{"a": torch.tensor([1])}, {"a": torch.tensor([2])}], "whole numbers"),
    ],
)
def test_models_that_do_not_match_are_refused(made, said):
    with pytest.raises(BadInput, match=said):
        uniform(made)


def test_model_stock_by_hand():
    base = {"w": tensor(1, 1), "still": tensor(5)}
    # moves (1, 0) and (1, 1): cosine 1/sqrt 2
    mixed, ratios = model_stock(
        base, [{"w": tensor(2, 1), "still": tensor(5)}, {"w": tensor(2, 2), "still": tensor(5)}]
    )
    cosine = 1 / math.sqrt(2)
    t = 2 * cosine / (1 + cosine)
    assert ratios["w"] == pytest.approx(t)
    assert mixed["w"].tolist() == pytest.approx([1 + t, 1 + t / 2])
    assert ratios["still"] == 0.0 and mixed["still"].tolist() == [5]
    opposed, ratios = model_stock({"w": tensor(1, 1)}, [{"w": tensor(2, 1)}, {"w": tensor(0, 1.5)}])
    assert ratios["w"] == 0.0 and opposed["w"].tolist() == [1, 1]


@bounds(deadline=None)
@given(states(3), states(1))
def test_model_stock_lies_between_base_and_mean_and_knows_no_order(models, base):
    [base] = base
    mixed, ratios = model_stock(base, models)
    assert 0 <= ratios["w"] <= 1
    mean = uniform(models)["w"]
    assert torch.allclose(mixed["w"], base["w"] + ratios["w"] * (mean - base["w"]), atol=1e-4)
    again, _ = model_stock(base, models[::-1])
    assert torch.allclose(mixed["w"], again["w"], atol=1e-5)
    alike, ratios = model_stock(base, [models[0]] * 3)
    moved = not torch.equal(models[0]["w"], base["w"])
    assert torch.allclose(alike["w"], models[0]["w"], atol=1e-5) and ratios["w"] == pytest.approx(float(moved))


def random_adapter(seed, rank=2, shape=(5, 4)):
    rng = torch.Generator().manual_seed(seed)
    out, wide = shape
    return {"layer": Factors(torch.randn(rank, wide, generator=rng), torch.randn(out, rank, generator=rng))}


def product(adapter):
    return adapter["layer"].b.double() @ adapter["layer"].a.double()


@bounds(deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=4), st.integers(1, 3))
def test_adapters_are_merged_by_what_they_add(seeds, rank):
    adapters = [random_adapter(seed, rank) for seed in seeds]
    mixed, _ = merged(adapters)
    wanted = sum(product(adapter) for adapter in adapters) / len(adapters)
    assert torch.allclose(product(mixed), wanted, atol=1e-5)
    assert mixed["layer"].a.shape[0] == rank * len(adapters)
    stocked, ratios = merged(adapters, stock=True)
    whole, whole_ratios = model_stock({"layer": wanted * 0}, [{"layer": product(a)} for a in adapters])
    assert ratios["layer"] == pytest.approx(whole_ratios["layer"], abs=1e-9)
    assert torch.allclose(product(stocked), whole["layer"], atol=1e-5)


def test_the_mean_of_the_factors_is_something_else():
    one, other = random_adapter(1), random_adapter(2)
    wrong = (one["layer"].b + other["layer"].b) / 2 @ ((one["layer"].a + other["layer"].a) / 2)
    assert not torch.allclose(product(merged([one, other])[0]).float(), wrong, atol=0.1)


def test_a_matrix_that_one_adapter_leaves_alone_counts_as_zero():
    one, other = random_adapter(1), {"other": random_adapter(2)["layer"]}
    mixed, ratios = merged([one, other])
    assert torch.allclose(product(mixed), product(one) / 2, atol=1e-6) and set(mixed) == {"layer", "other"}
    assert merged([one, other], stock=True)[1] == {"layer": 0.0, "other": 0.0}
    assert ratios == {"layer": 1.0, "other": 1.0}
    with pytest.raises(BadInput, match="shapes"):
        merged([one, random_adapter(1, shape=(3, 4))])


@bounds(deadline=None)
@given(st.integers(0, 1000))
def test_compression_keeps_the_best_part(seed):
    factors = merged([random_adapter(seed), random_adapter(seed + 1)])[0]["layer"]
    whole = factors.b.double() @ factors.a.double()
    same, kept = compressed(factors, 4)
    assert kept == pytest.approx(1) and torch.allclose(same.b.double() @ same.a.double(), whole, atol=1e-4)
    small, kept = compressed(factors, 1)
    values = torch.linalg.svdvals(whole)
    assert small.a.shape[0] == 1
    assert kept == pytest.approx(float(values[0] ** 2 / values.square().sum()), abs=1e-6)
    error = (whole - small.b.double() @ small.a.double()).square().sum()
    assert float(error) == pytest.approx(float(values[1:].square().sum()), rel=1e-3, abs=1e-4)


def test_the_greedy_soup_takes_what_does_not_hurt():
    asked = []

    async def measure(chosen):
        asked.append(chosen)
        return {(1, 0): 0.8, (1, 0, 3): 0.7, (1, 0, 2): 0.8}[chosen]

    assert asyncio.run(greedy_choice([0.75, 0.8, 0.5, 0.6], measure)) == ((1, 0, 2), 0.8)
    assert asked == [(1, 0), (1, 0, 3), (1, 0, 2)]
    with pytest.raises(BadInput, match="must be numbers"):
        asyncio.run(greedy_choice([], measure))


@bounds(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.integers(0, 100))
def test_the_greedy_soup_is_never_worse_than_its_best_model(scores, seed):
    async def measure(chosen):
        return hash((seed, frozenset(chosen))) % 1000 / 1000

    chosen, best = asyncio.run(greedy_choice(scores, measure))
    assert best >= max(scores) and len(set(chosen)) == len(chosen) >= 1


COLOURS = Classification(labels=("red", "blue"))
ROWS = [
    Row(id=str(n), text=f"{('a', 'the', 'two')[n % 3]} {('red', 'blue')[n % 2]} box", label=("red", "blue")[n % 2])
    for n in range(6)
]


async def trained(spec, store, settings, seeds=(0, 1), rows=ROWS):
    students = [open_student(spec, COLOURS, settings, store) for _ in seeds]
    for student, seed in zip(students, seeds, strict=True):
        await student.fit(rows, seed)
    return students


@pytest.mark.trains
async def test_a_soup_of_adapters_is_a_student_that_can_be_served(llama_folder, settings, tmp_path):
    pytest.importorskip("peft", reason="peft is not installed: pip install 'inloop[students]'")
    with Store(tmp_path / "store") as store:
        students = await trained(f"lora:{llama_folder}?epochs=3&rank=2&rate=0.01", store, settings)
        mixed = await soup(students)
        assert mixed.fitted and mixed.revision not in {s.revision for s in students}
        said = await mixed.predict(["a red box"])
        assert set(said[0].scores) == set(COLOURS.labels)
        wanted = [read_adapter(student.folder) for student in students]
        for name, factors in read_adapter(mixed.folder).items():
            mean = sum(adapter[name].b @ adapter[name].a for adapter in wanted) / 2
            assert torch.allclose(factors.b @ factors.a, mean, atol=1e-5)
        from inloop.runtime.serving.adapters import find_adapter

        assert find_adapter(f"soup={mixed.folder}", settings.cache_dir).rank == 4
        # the loaded model holds base + mean, whatever was merged
        plain, served = students[0]._base_net().state_dict(), mixed._net.state_dict()
        name = "model.layers.0.mlp.down_proj"
        mean = sum(a[f"base_model.model.{name}"].b @ a[f"base_model.model.{name}"].a for a in wanted) / 2
        assert torch.allclose(served[f"{name}.weight"], plain[f"{name}.weight"] + mean, atol=1e-5)
        again = await soup(students)
        assert again.revision == mixed.revision and again.folder == mixed.folder
        stocked, small = await soup(students, "stock"), await soup(students, rank=2)
        assert len({mixed.revision, stocked.revision, small.revision}) == 3
        assert find_adapter(f"soup={small.folder}", settings.cache_dir).rank == 2
        chosen = await soup(students, "greedy", dev=ROWS)
        assert chosen.fitted
        assert not list((tmp_path / "store/students/.work").iterdir())
        for student in [*students, mixed, stocked, small, chosen]:
            await student.aclose()


@pytest.mark.slow
@pytest.mark.trains
async def test_soups_of_whole_models_and_linear_ones(llama_folder, bert_folder, settings, tmp_path):
    pytest.importorskip("peft", reason="peft is not installed: pip install 'inloop[students]'")
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'inloop[students]'")
    from safetensors.torch import load_file

    with Store(tmp_path / "store") as store:
        for spec, name in (
            (f"full:{llama_folder}?epochs=1", "model.layers.0.mlp.down_proj.weight"),
            (f"classifier:{bert_folder}?epochs=1", "classifier.weight"),
        ):
            students = await trained(spec, store, settings)
            first, second = (load_file(student.folder / "model.safetensors")[name] for student in students)
            mixed = await soup(students)
            assert torch.allclose(load_file(mixed.folder / "model.safetensors")[name], (first + second) / 2, atol=1e-6)
            [said] = await (await soup(students, "stock")).predict(["a red box"])
            assert said.scores is not None
            with pytest.raises(BadInput, match="no adapters"):
                await soup(students, rank=2)
        linear = await trained(f"embedding:{bert_folder}", store, settings, seeds=(0,))
        linear += await trained(f"embedding:{bert_folder}", store, settings, seeds=(0,), rows=ROWS[:4])
        mixed = await soup(linear)
        assert mixed.read()["weights"] == pytest.approx((linear[0].read()["weights"] + linear[1].read()["weights"]) / 2)
        with pytest.raises(BadInput, match="these differ"):
            await soup([students[0], linear[0]])


async def test_what_makes_no_soup(llama_folder, settings, tmp_path):
    pytest.importorskip("peft", reason="peft is not installed: pip install 'inloop[students]'")
    with Store(tmp_path / "store") as store:
        [student] = await trained(f"lora:{llama_folder}?epochs=1&rank=2", store, settings, seeds=(0,))
        with pytest.raises(BadInput, match="trained students"):
            await soup([student, student.fresh()])
        with pytest.raises(BadInput, match="dev rows"):
            await soup([student], "greedy")
        assert await soup([student]) is student
