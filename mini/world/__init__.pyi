from .drawing import SIZE, Group, Placed, Scene, Spec, draw, place
from .grammar import Node, Phrase, Wording, article, plain, word
from .knowledge import TEMPLATES, Asked, corpus, facts, generic, items, many_things, pairs, views
from .knowledge_set import write_knowledge
from .parse import spec_of
from .questions import ask
from .reader import Verdict, check, read
from .scenes import is_held_out, pixels, scenes, specs
from .smudges import Spoilt, spoil
from .vocabulary import (
    BACKGROUNDS,
    COLORS,
    COUNTS,
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
    "Group",
    "KINDS",
    "NEAR",
    "Node",
    "OPPOSITE",
    "Phrase",
    "Placed",
    "RELATIONS",
    "SHAPES",
    "SIZE",
    "SIZES",
    "Scene",
    "Spec",
    "Spoilt",
    "TEMPLATES",
    "THINGS",
    "Verdict",
    "Wording",
    "article",
    "ask",
    "check",
    "corpus",
    "draw",
    "facts",
    "generic",
    "is_held_out",
    "items",
    "many_things",
    "pairs",
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
    "views",
    "word",
    "write_knowledge",
]
