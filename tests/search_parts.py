"""Parts of a search for tests: texts are realised as text files, and scored by how many words they have."""

from __future__ import annotations

from inloop.runtime.records import Part, Score


class Writer:
    """A realiser of texts: the artefact of a text and a seed is a text file."""

    def __init__(self, blobs):
        self.blobs, self.asked = blobs, []

    async def realise(self, texts, seeds):
        self.asked.append((list(texts), list(seeds)))
        return [[self.blobs.put(f"{text} #{seed}".encode(), "text/plain") for seed in seeds] for text in texts]


class WordCount:
    """An evaluator of text files: the share of ten words that a file has; texts with "???" cannot be scored."""

    name = "length"

    def __init__(self, blobs, change=lambda text, seed, value: value):
        self.blobs, self.change = blobs, change

    async def score(self, samples):
        return [self._one(self.blobs.get(sample.image).decode()) for sample in samples]

    def _one(self, file):
        text, _, seed = file.partition(" #")
        if "???" in text:
            return Score(value=None, explanation="a question is no answer")
        value = self.change(text, int(seed), min(1.0, len(text.split()) / 10))
        return Score(value=value, parts=(Part(name="words", value=value),))
