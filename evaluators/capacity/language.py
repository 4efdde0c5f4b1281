"""A causal language model that learns people, and what it knows of them: the losses on names and on values.

Any model of transformers with any tokenizer; `word_tokenizer` and `small_model` give ones of one's own size.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ...runtime.errors import BadInput
from ...tools.training import Checkpoint, Outcome, Progress, Recipe, TrainingLoop, by_epoch, seeded
from .bits import StoredBits, stored_bits
from .people import People, Piece

if TYPE_CHECKING:
    import torch

__all__ = ["Losses", "learn_people", "people_bits", "people_losses", "small_model", "word_tokenizer"]

_IGNORED, _NAME, _VALUE = 0, 1, 2
_PARTS = {"text": _IGNORED, "name": _NAME, "value": _VALUE}
_READ = 256  # people of one forward pass


class Losses(NamedTuple):
    """Mean summed cross-entropy a person in nats: `names` is p1, `values` is p2."""

    names: float
    values: float


def word_tokenizer(people: People, *, sources: Sequence[str] = ()) -> Any:
    """A tokenizer of transformers with a token for each word of `people` and each tag of `sources`, so that no parameter is unused."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["<end>", *people.words(), *sources]
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="<end>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", pad_token="<end>", unk_token="<end>")


def small_model(
    tokenizer: Any, *, family: Literal["gpt2", "llama"] = "llama", width: int = 32, layers: int = 2, seed: int = 0
) -> Any:
    """A GPT-2 or Llama of that width (heads of 16 numbers) and depth with random weights and tied embeddings.

    Raises:
        BadInput: a width that is no multiple of 16.
    """
    import transformers

    if width % 16:
        raise BadInput(f"a width of {width}: give a multiple of 16, the size of a head.")
    size, heads, end = len(tokenizer), width // 16, tokenizer.eos_token_id
    config: Any
    if family == "gpt2":
        config = transformers.GPT2Config(
            vocab_size=size, n_positions=64, n_embd=width, n_layer=layers, n_head=heads, resid_pdrop=0.0,
            embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=end, eos_token_id=end,
        )  # fmt: skip
    else:
        config = transformers.LlamaConfig(
            vocab_size=size, hidden_size=width, intermediate_size=3 * width, num_hidden_layers=layers, num_attention_heads=heads,
            max_position_embeddings=64, tie_word_embeddings=True, bos_token_id=end, eos_token_id=end,
        )  # fmt: skip
    with seeded(seed):
        return transformers.AutoModelForCausalLM.from_config(config)


def learn_people(
    model: Any,
    tokenizer: Any,
    people: People,
    *,
    exposures: int,
    batch: int = 32,
    rate: float = 3e-3,
    seed: int = 0,
    source: str = "",
    junk: int = 0,
    checkpoint: Checkpoint | None = None,
    progress: Callable[[Progress], None] = lambda progress: None,
    stop: threading.Event | None = None,
) -> Outcome:
    """Train `model`, on its device, so that it sees each person `exposures` times, worded anew each time; AdamW, cosine.

    `source`: a tag in front of these texts. `junk`: texts of other people, never seen twice and without the tag, beside each of
    these. A text counts the same whichever it is.

    Raises:
        Interrupted: `stop` was set; the checkpoint holds what was done.
        PrerequisiteError: a loss that is not a number, or a checkpoint that cannot be read or written.
    """
    import torch

    of_epoch, encoded = -(-len(people) // batch), _Encoder(tokenizer)

    def shuffled(epoch: int) -> list[list[int]]:
        order = random.Random(f"{seed}/{epoch}").sample(range(len(people)), len(people))
        return [order[start : start + batch] for start in range(0, len(order), batch)]

    rows_of = by_epoch(shuffled, of_epoch)
    device = next(model.parameters()).device

    def texts(step: int) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        chosen = rows_of(step)
        shown = [people.text(person, step // of_epoch, source=source) for person in chosen]
        if junk:
            others = people.others(junk * len(chosen), step)
            shown += [others.text(person, step) for person in range(len(others))]
        ids, _, real = encoded(shown)
        return [(ids.to(device), ids.masked_fill(~real, -100).to(device), real.to(device))]

    def loss(model: Any, part: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> torch.Tensor:
        ids, labels, real = part
        logits = model(input_ids=ids, attention_mask=real.long(), use_cache=False).logits[:, :-1]
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), labels[:, 1:].flatten())

    steps = exposures * of_epoch
    trained = [value for value in model.parameters() if value.requires_grad]
    return TrainingLoop(
        model=model,
        loss=loss,
        batches=texts,
        optimizer=torch.optim.AdamW(trained, lr=rate, weight_decay=0.0),
        steps=steps,
        epoch=of_epoch,
        schedule=Recipe().schedule(steps),
        seed=seed,
        checkpoint=checkpoint,
        progress=progress,
        stop=stop or threading.Event(),
    ).run()


def people_losses(model: Any, tokenizer: Any, people: People, *, source: str = "") -> Losses:
    """p1 and p2 of `people`: each is read once, in a wording that training may have had, behind the tag `source`."""
    import torch

    device, encoded = next(model.parameters()).device, _Encoder(tokenizer)
    names = values = 0.0
    with torch.inference_mode():
        for start in range(0, len(people), _READ):
            some = range(start, min(start + _READ, len(people)))
            texts = [people.text(person, 0, source=source) for person in some]
            ids, parts, real = (tensor.to(device) for tensor in encoded(texts))
            likely = (
                model(input_ids=ids, attention_mask=real.long(), use_cache=False).logits[:, :-1].float().log_softmax(-1)
            )
            losses = -likely.gather(2, ids[:, 1:, None]).squeeze(2).double()
            names += float(losses[parts[:, 1:] == _NAME].sum())
            values += float(losses[parts[:, 1:] == _VALUE].sum())
    return Losses(names / len(people), values / len(people))


def people_bits(
    model: Any, tokenizer: Any, people: People, *, source: str = "", parameters: int | None = None
) -> StoredBits:
    """The bits that `model` stores of `people`; `parameters`: those to count, default all of the model, tied ones once."""
    losses = people_losses(model, tokenizer, people, source=source)
    return stored_bits(
        facts=len(people),
        parameters=parameters or sum(value.numel() for value in model.parameters()),
        name_bits=people.name_bits,
        value_bits=people.value_bits,
        name_loss=losses.names,
        value_loss=losses.values,
    )


class _Encoder:
    """Texts as token ids between two end marks, and the part that each token belongs to. A piece that was read before is remembered."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._end: int = tokenizer.eos_token_id
        self._known: dict[str, list[int]] = {}

    def __call__(self, texts: Sequence[Sequence[Piece]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Ids, parts and which tokens are real, each (texts, longest)."""
        import torch

        ids, parts = [], []
        for text in texts:
            pieces = [(self._ids(piece.words), _PARTS[piece.part]) for piece in text]
            ids.append([self._end, *(token for tokens, _ in pieces for token in tokens), self._end])
            parts.append([_IGNORED, *(part for tokens, part in pieces for _ in tokens), _IGNORED])
        longest = max(map(len, ids))
        real = [[place < len(row) for place in range(longest)] for row in ids]
        ids = [row + [self._end] * (longest - len(row)) for row in ids]
        parts = [row + [_IGNORED] * (longest - len(row)) for row in parts]
        return torch.tensor(ids), torch.tensor(parts), torch.tensor(real)

    def _ids(self, words: str) -> list[int]:
        if words not in self._known:
            self._known[words] = self._tokenizer(f" {words}", add_special_tokens=False).input_ids
        return self._known[words]
