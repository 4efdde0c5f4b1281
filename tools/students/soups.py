"""Soups: one model out of several that were fine-tuned from the same base.

- uniform and greedy soups: Wortsman et al. 2022, "Model soups" (arXiv 2203.05482). Greedy: from the best on the dev rows
  downwards, a model is kept in the soup where the soup does not get worse by it (the paper's rule, which counts a tie).
- Model Stock: Jang et al. 2024 (arXiv 2403.19522), for k models as the projection of the unknown centre on the mean: by
  tensor, with the cosine c between the models' moves away from the base, averaged over all pairs,
  t = k c / ((k - 1) c + 1), clamped to [0, 1], and w = t mean(w_i) + (1 - t) w_0.

LLM2LLM trains from the base in every step, so its steps and seeds are such models, for free. An adapter is merged by what it
adds to the weights, the product B A: a mean of the As times a mean of the Bs is something else. The sum of products is
an adapter again, exactly, of the summed rank.
"""

from __future__ import annotations

import itertools
import json
import math
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ...runtime.errors import BadInput
from ...runtime.protocols import Student
from ...runtime.records import Row, Training
from ...runtime.storage import draft_of
from .base import CARD, StoredStudent
from .classifier import ClassifierStudent
from .embedding import EmbeddingStudent
from .lora import LoraStudent

if TYPE_CHECKING:
    from torch import Tensor

    State = Mapping[str, Tensor]

__all__ = [
    "Factors",
    "How",
    "check_soup",
    "compressed",
    "greedy_choice",
    "merged",
    "model_stock",
    "soup",
    "stock_ratio",
    "uniform",
]

How = Literal["uniform", "greedy", "stock"]


class Factors(NamedTuple):
    """What an adapter adds to one weight matrix: `b @ a`, shapes (out, rank) and (rank, in); any scale is in `b`."""

    a: Tensor
    b: Tensor


def stock_ratio(cosine: float, count: int) -> float:
    """Model Stock's t for `count` models whose moves have this mean cosine: 0 is the base, 1 the mean of the models."""
    if count < 1 or not -1.001 <= cosine <= 1.001:
        raise BadInput(f"a cosine of {cosine!r} between {count!r} models: give -1 to 1, and one model or more.")
    if cosine <= 0:  # the models have nothing in common
        return 0.0
    return min(1.0, count * cosine / ((count - 1) * cosine + 1))


def uniform(states: Sequence[State]) -> dict[str, Tensor]:
    """The mean of models of one shape, tensor by tensor, in their own dtype; whole numbers must agree.

    Raises `BadInput`: no models, or tensors that do not match.
    """
    _check(states)
    mixed: dict[str, Tensor] = {}
    for name, first in states[0].items():
        tensors = [state[name] for state in states]
        mixed[name] = sum(t.double() for t in tensors).div(len(tensors)).to(first.dtype) if _real(first) else first  # type: ignore[union-attr]
    return mixed


def model_stock(base: State, states: Sequence[State]) -> tuple[dict[str, Tensor], dict[str, float]]:
    """(the merged model, t by tensor). A tensor that `base` lacks (a head that was added) is counted from 0.

    Raises `BadInput` as `uniform` does.
    """
    mixed, ratios = uniform(states), dict[str, float]()
    for name, mean in mixed.items():
        if not _real(mean):
            continue
        start = base[name].double().to(mean.device) if name in base else mean.double() * 0
        if start.shape != mean.shape:
            raise BadInput(f"{name} is {tuple(mean.shape)} in the models and {tuple(start.shape)} in their base.")
        moves = [(state[name].double() - start).flatten() for state in states]
        products = [[float(one @ other) for other in moves] for one in moves]
        ratios[name] = stock_ratio(_mean_cosine(products), len(states))
        mixed[name] = (start + ratios[name] * sum(moves).view(start.shape) / len(moves)).to(mean.dtype)  # type: ignore[union-attr]
    return mixed, ratios


def merged(
    adapters: Sequence[Mapping[str, Factors]], *, stock: bool = False
) -> tuple[dict[str, Factors], dict[str, float]]:
    """(one adapter that adds the mean of what `adapters` add, t by matrix); with `stock`, t times the mean.

    The ranks are summed. A matrix that only some of them touch is untouched by the others: 0 is added there.
    """
    import torch

    if not adapters:
        raise BadInput("there are no adapters to merge.")
    mixed, ratios = {}, dict[str, float]()
    for name in dict.fromkeys(name for adapter in adapters for name in adapter):
        factors = [adapter[name] for adapter in adapters if name in adapter]
        if len({(f.b.shape[0], f.a.shape[1]) for f in factors}) > 1:
            raise BadInput(f"the adapters' matrices {name} are for weights of different shapes.")
        ratio = 1.0
        if stock:
            products = [[_inner(one, other) for other in factors] for one in factors]
            size = len(adapters)
            padded = [[products[i][j] if max(i, j) < len(factors) else 0.0 for j in range(size)] for i in range(size)]
            ratio = stock_ratio(_mean_cosine(padded), size)
        ratios[name] = ratio
        share = ratio / len(adapters)
        dtype = factors[0].a.dtype
        mixed[name] = Factors(
            torch.cat([f.a for f in factors], 0), torch.cat([f.b.double() * share for f in factors], 1).to(dtype)
        )
    return mixed, ratios


def compressed(factors: Factors, rank: int) -> tuple[Factors, float]:
    """(the nearest adapter of `rank`, the share of the squared norm that it keeps), by the SVD of the product."""
    import torch

    if rank < 1:
        raise BadInput(f"a rank of {rank!r}: give 1 or more.")
    left, upper = torch.linalg.qr(factors.b.double())
    right, lower = torch.linalg.qr(factors.a.double().T)
    u, values, v = torch.linalg.svd(upper @ lower.T)
    total = float(values.square().sum())
    kept = float(values[:rank].square().sum()) / total if total > 0 else 1.0
    root = values[:rank].sqrt()
    a, b = (root[:, None] * v[:rank]) @ right.T, left @ (u[:, :rank] * root)
    return Factors(a.to(factors.a.dtype).contiguous(), b.to(factors.b.dtype).contiguous()), kept


async def greedy_choice(
    scores: Sequence[float], measure: Callable[[tuple[int, ...]], Awaitable[float]]
) -> tuple[tuple[int, ...], float]:
    """(the models of the greedy soup, its score). `measure` scores the uniform soup of some of the models."""
    if not scores or not all(math.isfinite(score) for score in scores):
        raise BadInput(f"the models' scores {list(scores)!r} must be numbers, one or more.")
    order = sorted(range(len(scores)), key=lambda place: (-scores[place], place))
    chosen: tuple[int, ...] = (order[0],)
    best = scores[order[0]]
    for place in order[1:]:
        score = await measure((*chosen, place))
        if score >= best:
            chosen, best = (*chosen, place), score
    return chosen, best


def check_soup(student: Student, how: How, *, dev: Sequence[Row]) -> None:
    """Raises `BadInput` where a soup of such students cannot be made, before any is trained."""
    if not isinstance(student, StoredStudent):
        raise BadInput(f"a soup needs students whose weights inloop keeps in its store, and {student.model!r} is none.")
    if how == "greedy" and not dev:
        raise BadInput("a greedy soup is chosen on dev rows: give some that are not among the test rows.")


async def soup(
    trained: Sequence[Student], how: How = "uniform", *, dev: Sequence[Row] = (), rank: int | None = None
) -> StoredStudent:
    """One student out of several that were trained from one base with one recipe, kept in the store as they are.

    `dev`: the rows on which the greedy soup is chosen (never the test rows). `rank`: compress the adapter to this rank.

    Raises:
        BadInput: no students, untrained ones, some that are not kept in the store, students of different bases or tasks, no dev
            rows for "greedy".
        PrerequisiteError: a model cannot be loaded, or a full disk.
    """
    students = [student for student in trained if isinstance(student, StoredStudent) and student.fitted]
    if not students or len(students) < len(trained):
        raise BadInput("a soup needs trained students, one or more, whose weights inloop keeps in its store.")
    check_soup(students[0], how, dev=dev)
    first = students[0]
    if len({(s.model, s.task.sha256, _base_of(s)) for s in students}) > 1:
        raise BadInput("a soup needs students of one base model and one task; these differ.")
    if how == "greedy":
        cooked: dict[tuple[int, ...], StoredStudent] = {(place,): student for place, student in enumerate(students)}

        async def measure(chosen: tuple[int, ...]) -> float:
            if chosen not in cooked:
                cooked[chosen] = _cook([students[place] for place in sorted(chosen)], "uniform", rank)
            return await _accuracy(cooked[chosen], dev)

        scores = [await measure((place,)) for place in range(len(students))]
        chosen, _ = await greedy_choice(scores, measure)
        return cooked[chosen]
    return first if len(students) == 1 and how == "uniform" else _cook(students, how, rank)


async def _accuracy(student: StoredStudent, rows: Sequence[Row]) -> float:
    said = await student.predict([row.text for row in rows], scores=False)
    return sum(student.task.grade(one, row).right for one, row in zip(said, rows, strict=True)) / len(rows)


def _cook(students: Sequence[StoredStudent], how: How, rank: int | None) -> StoredStudent:
    first = students[0]
    made = first.fresh()
    draft = draft_of(first.folder.parent / ".work" / "soup")
    shutil.copytree(first.folder, draft, ignore=shutil.ignore_patterns(CARD, "*.safetensors", "*.index.json", "*.npz"))
    try:
        _pour(students, how, rank, draft)
        cards = [json.loads((student.folder / CARD).read_text(encoding="utf-8")) for student in students]
        rows = max(Training.model_validate(card["training"]).rows for card in cards)
        of = ["soup", how, rank, [student.revision for student in students]]
        made.adopt(draft, of, Training(rows=rows, seed=0))
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return made


def _pour(students: Sequence[StoredStudent], how: How, rank: int | None, out: Path) -> None:
    """Write the merged weights into `out`."""
    from safetensors.torch import save_file

    first = students[0]
    if isinstance(first, LoraStudent) and first.recipe.method == "lora":
        _pour_adapters(students, how, rank, out)
        return
    if rank is not None:
        raise BadInput(f"a rank of {rank!r}: these students are no adapters.")
    if len({tuple(student.labels) for student in students if isinstance(student, EmbeddingStudent)}) > 1:
        raise BadInput("these students were trained on rows of different labels: their weights have no mean.")
    states = [_state(student) for student in students]
    mixed = model_stock(_base_state(first), states)[0] if how == "stock" else uniform(states)
    if isinstance(first, EmbeddingStudent):
        first.write(out, {name: tensor.numpy() for name, tensor in mixed.items()})
    else:
        save_file(
            {name: tensor.contiguous() for name, tensor in mixed.items()}, out / "model.safetensors", {"format": "pt"}
        )


def _pour_adapters(students: Sequence[StoredStudent], how: How, rank: int | None, out: Path) -> None:
    from safetensors.torch import save_file

    mixed, _ = merged([read_adapter(student.folder) for student in students], stock=how == "stock")
    if rank is not None:
        mixed = {name: compressed(factors, rank)[0] for name, factors in mixed.items()}
    size = max(factors.a.shape[0] for factors in mixed.values())
    tensors: dict[str, Any] = {}
    for name, factors in mixed.items():
        a, b = _filled(factors, size)
        tensors[f"{name}.lora_A.weight"], tensors[f"{name}.lora_B.weight"] = a, b
    config = json.loads((out / "adapter_config.json").read_text(encoding="utf-8"))
    config |= {"r": size, "lora_alpha": size, "rank_pattern": {}, "alpha_pattern": {}, "use_rslora": False}
    (out / "adapter_config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    save_file(tensors, out / "adapter_model.safetensors", {"format": "pt"})


def read_adapter(folder: Path) -> dict[str, Factors]:
    """The matrices of peft's LoRA folder, by the weight they add to, with alpha / rank in `b`."""
    from safetensors.torch import load_file

    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    if config.get("use_dora") or config.get("rank_pattern") or config.get("alpha_pattern"):
        raise BadInput(f"{str(folder)!r} is an adapter of a kind that cannot be merged (DoRA, or ranks by pattern).")
    root = math.sqrt(config["r"]) if config.get("use_rslora") else config["r"]
    scale = config["lora_alpha"] / root
    tensors = load_file(folder / "adapter_model.safetensors")
    names = [name.removesuffix(".lora_A.weight") for name in tensors if name.endswith(".lora_A.weight")]
    return {name: Factors(tensors[f"{name}.lora_A.weight"], tensors[f"{name}.lora_B.weight"] * scale) for name in names}


def _filled(factors: Factors, rank: int) -> Factors:
    """The same adapter at a higher rank, with zeros: servers want one rank in all layers."""
    import torch

    missing = rank - factors.a.shape[0]
    a = torch.cat([factors.a, factors.a.new_zeros(missing, factors.a.shape[1])], 0)
    b = torch.cat([factors.b, factors.b.new_zeros(factors.b.shape[0], missing)], 1)
    return Factors(a.contiguous(), b.contiguous())


def _state(student: StoredStudent) -> dict[str, Tensor]:
    import torch
    from safetensors.torch import load_file

    if isinstance(student, EmbeddingStudent):
        return {name: torch.from_numpy(values) for name, values in student.read().items()}
    files = sorted(student.folder.glob("*.safetensors"))
    return {name: tensor for file in files for name, tensor in load_file(file).items()}


def _base_state(student: StoredStudent) -> State:
    """The weights that training began from; a head that was drawn at random, and a linear model, began from 0."""
    if isinstance(student, LoraStudent | ClassifierStudent):
        return student.base_state()
    return {}


def _base_of(student: StoredStudent) -> str:
    return str(json.loads((student.folder / CARD).read_text(encoding="utf-8"))["base_revision"])


def _inner(one: Factors, other: Factors) -> float:
    """<B1 A1, B2 A2> without making the products: trace(A1' B1' B2 A2) = sum((B1' B2) * (A1 A2'))."""
    return float(((one.b.double().T @ other.b.double()) * (one.a.double() @ other.a.double().T)).sum())


def _mean_cosine(products: Sequence[Sequence[float]]) -> float:
    """The mean cosine over all pairs, from the products of all with all; a move of length 0 has the cosine 0."""
    if len(products) == 1:
        return 1.0
    norms = [math.sqrt(max(0.0, row[place])) for place, row in enumerate(products)]
    cosines = [
        products[i][j] / (norms[i] * norms[j]) if norms[i] > 0 and norms[j] > 0 else 0.0
        for i, j in itertools.combinations(range(len(products)), 2)
    ]
    return max(-1.0, min(1.0, sum(cosines) / len(cosines)))


def _check(states: Sequence[State]) -> None:
    if not states:
        raise BadInput("there are no models to merge.")
    import torch

    for state in states[1:]:
        if state.keys() != states[0].keys():
            odd = sorted(state.keys() ^ states[0].keys())
            raise BadInput(f"the models are of different kinds: {odd[0]} is in one of them only.")
        for name, tensor in state.items():
            if tensor.shape != states[0][name].shape:
                raise BadInput(
                    f"{name} is {tuple(states[0][name].shape)} in one model and {tuple(tensor.shape)} in another."
                )
            if not _real(tensor) and not torch.equal(tensor, states[0][name]):
                raise BadInput(f"{name} holds whole numbers that differ between the models: they have no mean.")


def _real(tensor: Tensor) -> bool:
    return bool(tensor.is_floating_point())
