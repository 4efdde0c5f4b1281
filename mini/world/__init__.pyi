from .clips import MOTIONS, Clip, film
from .compositions import compose
from .description import describe, phrase
from .domains import DOMAINS, Domain
from .drawing import SIZE, Group, Placed, Scene, Spec, draw, place
from .grammar import Node, Phrase, Wording, article, plain, word
from .knowledge import TEMPLATES, Asked, corpus, facts, items, many_things, pairs, summary, views
from .knowledge_set import write_knowledge
from .parse import spec_of, wording_of
from .questions import ask
from .reader import Verdict, check, read
from .scenes import is_held_out, pixels, scenes, specs
from .smudges import Spoilt, spoil
from .textures import SURFACES, TEXTURES
from .truth import Truth
from .vocabulary import (
    BACKGROUNDS,
    COLORS,
    COUNTS,
    HELD_OUT,
    KINDS,
    NEAR,
    OPPOSITE,
    RELATIONS,
    SHAPES,
    SIZES,
    THINGS,
    plain_of,
    plural,
)

__all__ = [
    "Asked",
    "BACKGROUNDS",
    "COLORS",
    "COUNTS",
    "Clip",
    "DOMAINS",
    "Domain",
    "Group",
    "HELD_OUT",
    "KINDS",
    "MOTIONS",
    "NEAR",
    "Node",
    "OPPOSITE",
    "Phrase",
    "Placed",
    "RELATIONS",
    "SHAPES",
    "SIZE",
    "SIZES",
    "SURFACES",
    "Scene",
    "Spec",
    "Spoilt",
    "TEMPLATES",
    "TEXTURES",
    "THINGS",
    "Truth",
    "Verdict",
    "Wording",
    "article",
    "ask",
    "check",
    "compose",
    "corpus",
    "describe",
    "draw",
    "facts",
    "film",
    "is_held_out",
    "items",
    "many_things",
    "pairs",
    "phrase",
    "pixels",
    "place",
    "plain",
    "plain_of",
    "plural",
    "read",
    "scenes",
    "spec_of",
    "specs",
    "spoil",
    "summary",
    "views",
    "word",
    "wording_of",
    "write_knowledge",
]
