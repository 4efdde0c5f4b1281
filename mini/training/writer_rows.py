"""What `mini-writer` is taught: rewriting a prompt under feedback, and writing its scene graph in three steps.

Each row is one user message and its answer, in the compact format of `prompts/*/mini_*.md`. A rewrite makes the words that were
marked wrong plain most of the time and chooses the others by chance: candidates differ, so the search still has work to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..world import Node, Phrase, Spec, Wording, plain, specs, word

__all__ = ["Row", "revise", "rows"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One exchange. `role`: rewrite, tuples, questions or dependencies."""

    role: str
    prompt: str
    answer: str


def rows(seed: int, *, held_out: bool = False) -> Iterator[Row]:
    """An endless stream of rows, the roles in turn by their difficulty."""
    rng = np.random.default_rng([seed, 41])
    for spec in specs(seed, held_out=held_out):
        wording = word(spec, rng, looseness=float(rng.random() ** 0.5), held_out=held_out)
        graph = wording.scene_graph()
        lines = "\n".join(f"{node.id} | {node.fact}" for node in graph)
        role = str(rng.choice(["rewrite", "tuples", "questions", "dependencies"], p=[0.4, 0.3, 0.18, 0.12]))
        if role == "rewrite":
            yield _rewrite(spec, wording, graph, rng)
        elif role == "tuples":
            yield Row(role=role, prompt=f"Tuples: {wording.text}", answer=lines)
        elif role == "questions":
            answer = "\n".join(f"{node.id} | {node.question}" for node in graph)
            yield Row(role=role, prompt=f"Questions: {wording.text}\n{lines}", answer=answer)
        else:
            answer = "\n".join(f"{node.id} | {','.join(map(str, node.parents))}" for node in graph)
            yield Row(role=role, prompt=f"Dependencies: {wording.text}\n{lines}", answer=answer)


def _rewrite(spec: Spec, wording: Wording, graph: list[Node], rng: np.random.Generator) -> Row:
    count = int(rng.choice([1, 2, 3, 4, 5], p=[0.15, 0.15, 0.2, 0.2, 0.3]))
    tried = [
        word(spec, rng, looseness=float(rng.random()))
        for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.35, 0.25, 0.2, 0.2])))
    ]
    scored = sorted(((_plausible_score(t, spec, rng), t) for t in tried), key=lambda pair: pair[0])
    base = scored[-1][1] if scored and rng.random() < 0.7 else wording
    wrong = [graph[i] for i in rng.permutation(len(graph))[: int(rng.integers(1, 3))]] if rng.random() < 0.6 else []
    lines = [f"Rewrite: {wording.text}"]
    if scored:
        lines += ["Tried:", *(f"{score} {t.text}" for score, t in scored)]
    if wrong:
        by_phrase = rng.random() < 0.25
        names = [_phrase_of(node, wording) if by_phrase else node.question for node in wrong]
        lines.append("Wrong: " + " ".join(dict.fromkeys(names)))
    lines.append(f"Write {count}.")
    known = {wording.text, *(t.text for _, t in scored)}
    answers: list[str] = []
    for attempt in range(40):
        text = revise(base, spec, wrong, graph, rng).text
        if text not in known or attempt > 30:
            known.add(text)
            answers.append(text)
        if len(answers) == count:
            break
    return Row(
        role="rewrite", prompt="\n".join(lines), answer="\n".join(f"<PROMPT>{text}</PROMPT>" for text in answers)
    )


def _plausible_score(wording: Wording, spec: Spec, rng: np.random.Generator) -> int:
    """A score such as the loop would show: higher the plainer the words."""
    said, simple = wording.text.split(), set(plain(spec).text.split())
    share = sum(piece in simple for piece in said) / len(said)
    return int(np.clip(round(100 * (share * 0.7 + 0.3 * rng.random())), 0, 100))


def _phrase_of(node: Node, wording: Wording) -> str:
    if "relation" in node.fact or "global" in node.fact:
        return node.question
    return next((p.text for p in wording.phrases if p.noun in node.fact), wording.phrases[0].text)


def revise(base: Wording, spec: Spec, wrong: list[Node], graph: list[Node], rng: np.random.Generator) -> Wording:
    """Another wording of `spec`: slots named in `wrong` mostly plain, the others kept, made plain or loosened by chance."""
    simple, loose = plain(spec), word(spec, rng, looseness=0.7)
    kinds = [node.fact for node in wrong]

    def choose(slot: str, name: str, options: tuple[str | None, ...]) -> str | None:
        """One of (kept, plain, loose) for the slot."""
        marked = any(slot in kind and name in kind for kind in kinds)
        return options[int(rng.choice(3, p=[0.1, 0.8, 0.1] if marked else [0.3, 0.45, 0.25]))]

    phrases: list[Phrase] = []
    for kept, easy, other in zip(base.phrases, simple.phrases, loose.phrases, strict=True):
        # noun and colour come from one wording where a mixture could form a held-out pair
        noun = choose("entity", kept.noun, (kept.noun, easy.noun, other.noun))
        color = choose("color", "", (kept.color, easy.color, other.color))
        if noun != easy.noun and color != easy.color:
            noun, color = (kept.noun, kept.color) if rng.random() < 0.5 else (other.noun, easy.color)
        size = choose("size", "", (kept.size, easy.size, other.size))
        counter = choose("count", "", (kept.counter, easy.counter, other.counter))
        phrases.append(replace(easy, noun=noun or easy.noun, color=color, size=size, counter=counter))
    relation = choose("relation", "", (base.relation, simple.relation, loose.relation))
    background = choose("background", "", (base.background, simple.background, loose.background))
    marked = any("relation" in kind for kind in kinds)
    syntax = int(rng.choice([base.syntax, 0, loose.syntax], p=[0.1, 0.8, 0.1] if marked else [0.25, 0.5, 0.25]))
    return Wording(phrases=tuple(phrases), relation=relation, background=background, syntax=syntax).settled()
