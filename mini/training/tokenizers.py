"""Tokenizers of the small models, learnt from the world's own sentences: BPE for the CLIP family, WordPiece for BLIP.

Both know every English letter, so any text can be read; what the world does not know falls into pieces.
"""

from __future__ import annotations

import functools
import json
import string
import tempfile
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.trainers import BpeTrainer
from transformers import BertTokenizer, CLIPTokenizer

from ..world import ask, scenes, specs, word

__all__ = ["blip_tokenizer", "clip_tokenizer"]


@functools.cache
def _words() -> tuple[str, ...]:
    """Every word of the world's captions and questions, most frequent first."""
    rng = np.random.default_rng(3)
    counts: dict[str, int] = {}
    stream, drawn = specs(3), scenes(4)
    for _ in range(20_000):
        text = word(next(stream), rng, looseness=0.6).text + " " + ask(next(drawn), rng).question
        for piece in text.lower().replace("?", " ?").replace("-", " - ").split():
            counts[piece] = counts.get(piece, 0) + 1
    return tuple(sorted(counts, key=lambda piece: (-counts[piece], piece)))


def clip_tokenizer(length: int) -> CLIPTokenizer:
    """A `CLIPTokenizer` with one token for each word of the world; longer texts than `length` tokens are cut by callers."""
    letters = list(string.printable[:94])
    pieces = Tokenizer(BPE(end_of_word_suffix="</w>"))
    pieces.pre_tokenizer = WhitespaceSplit()
    alone = [piece for piece in _words() if piece.isalpha()]
    trainer = BpeTrainer(vocab_size=6000, end_of_word_suffix="</w>", initial_alphabet=letters, show_progress=False)
    pieces.train_from_iterator([" ".join(alone)] * 3, trainer)
    learnt = json.loads(pieces.to_str())["model"]
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in learnt["merges"]]
    vocabulary = list(dict.fromkeys([*letters, *(letter + "</w>" for letter in letters), *learnt["vocab"]]))
    vocabulary += ["<|startoftext|>", "<|endoftext|>"]
    with tempfile.TemporaryDirectory() as folder:
        names = {token: i for i, token in enumerate(vocabulary)}
        (Path(folder) / "vocab.json").write_text(json.dumps(names), encoding="utf-8")
        (Path(folder) / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
        return CLIPTokenizer.from_pretrained(folder, model_max_length=length)


def blip_tokenizer() -> BertTokenizer:
    """A lower-case `BertTokenizer` whose vocabulary holds every word of the world and every printable character."""
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "[ENC]"]
    letters = [c for c in string.printable[:94] if not c.isupper()]
    vocabulary = dict.fromkeys([*marks, "yes", "no", "one", *letters, *("##" + c for c in letters), *_words()])
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
        return BertTokenizer.from_pretrained(folder)
