"""The system prompt of a cited answerer, searched for citation precision with a floor on how many questions are answered.

`python rag_prompt.py` uses a scripted stand-in for the language model, which follows a few instructions and misreads others, so that it runs
offline; `python rag_prompt.py http://localhost:8000/v1` your own. The local SmolLM2 (135M) is too small: it answers and never cites.
"""

import random
import sys

import inloop
from inloop.agents.rag import CitedAnswerer
from inloop.evaluators.rag import evidence_citations
from inloop.runtime.passages import Passage
from inloop.testing import ScriptedChat

NAMES = "Harbour Bridge,Grey Tower,Old Mill,Salt Market,North Gate,Rope Factory,Glass House,Stone Pier".split(",")
FACTS = [(name, what, year) for name in NAMES for what, year in (("built", 1801), ("sold", 1850), ("restored", 1932))]
SENTENCES = (
    "You answer from numbered passages.",
    "Cite after every sentence, like [1].",
    "Cite one passage only, the one that says it.",
    "Cite every passage that you were shown.",
    "If you are not sure, write NO ANSWER.",
    "Be brief.",
    "Be friendly.",
)


def stand_in(messages):
    """A model that cites what it is told to, and takes "not sure" for a reason to say nothing to half of all questions."""
    system, asked = messages[0].content, messages[-1].content
    question = next(line for line in asked.splitlines() if line.startswith("> When"))
    passages = [line[2:] for line in asked.splitlines() if line.startswith("> The")]
    name, what = question.removeprefix("> When was the ").rstrip("?").rsplit(" ", 1)
    right = next(place for place, text in enumerate(passages, 1) if f"{name} was {what}" in text)
    if "NO ANSWER" in system and len(question) % 2:
        return "NO ANSWER"
    if "[1]" not in system:
        return passages[right - 1]
    only = "one passage only" in system and "every passage" not in system
    return passages[right - 1] + "".join(f" [{n}]" for n in range(1, len(passages) + 1) if not only or n == right)


class SystemPrompt(inloop.SearchTask):
    scores = ("precision", "answered")
    size = len(FACTS)

    def __init__(self, store, settings):
        served = sys.argv[1:2]
        self.chat = inloop.open_chat(served[0], store, settings) if served else ScriptedChat(stand_in)

    def propose(self, text, history, *, n, seed):
        """The best prompts with one of the sentences added, or taken out."""
        draw, texts = random.Random(seed), []
        for _ in range(n):
            kept = [each for each in SENTENCES if each in draw.choice(history).text]
            changed = draw.choice(SENTENCES)
            texts.append(" ".join(each for each in SENTENCES if (each in kept) != (each == changed)) or SENTENCES[0])
        return texts

    async def realise(self, texts, seeds):
        return [[await self.answer(text, seed) for seed in seeds] for text in texts]

    async def answer(self, system, place):
        name, what, year = FACTS[place]
        shown = random.Random(place).sample([fact for fact in FACTS if fact != FACTS[place]], 3)
        shown.insert(place % 4, FACTS[place])
        passages = [Passage(id=f"{n} {w}", document=n, text=f"The {n} was {w} in {y}.") for n, w, y in shown]
        writer = CitedAnswerer(self.chat, structured=False, max_tokens=64, system=system)
        draft = await writer.answer(f"When was the {name} {what}?", "question", passages)
        cites = [cited for sentence in draft.sentences for cited in sentence.cites]
        return {"cites": cites, "evidence": f"{name} {what}", "answered": str(year) in " ".join(draft.raw)}

    def score(self, text, made):
        found = evidence_citations({(cited, 0) for cited in made["cites"]}, {(made["evidence"], 0)})
        return {"precision": found.precision.value, "answered": float(made["answered"])}


for floor in ((), ("answered=0.9",)):
    result = inloop.search(
        " ".join(SENTENCES[:2]),
        task=SystemPrompt,
        floor=floor,
        iterations=8,
        candidates=4,
        instances=10,
        heldout_seeds=12,
    )
    [found] = result.tasks
    print(f"\nfloor: {', '.join(floor) or 'none'}\n  {found.best_text!r}\n  {result.finding()}")
