"""Captions as people write them, and questions about them, for `mini-answerer` to be measured on: written by hand, none by rule, none taught.

A row: the context, a question, and all answers that are right; "unknown" where the context does not hold one.
"""

from __future__ import annotations

from .answerer_case import UNKNOWN

__all__ = ["HAND_WRITTEN"]

_BOAT = ("a wooden boat tied to a pier at sunset",)
HAND_WRITTEN: tuple[tuple[tuple[str, ...], str, tuple[str, ...]], ...] = (
    (("a cyclist in a yellow jersey riding past a vineyard",), "what is the cyclist wearing?", ("jersey", "yellow jersey")),
    (("a cyclist in a yellow jersey riding past a vineyard",), "what color is the jersey?", ("yellow",)),
    (("a cyclist in a yellow jersey riding past a vineyard",), "what color is the bicycle?", (UNKNOWN,)),
    (("two surfers carrying boards across the sand",), "how many surfers are there?", ("two", "2")),
    (("two surfers carrying boards across the sand",), "what are the surfers carrying?", ("boards", "board")),
    (_BOAT, "what is tied to the pier?", ("boat", "wooden boat")),
    (_BOAT, "what is the boat made of?", ("wood", "wooden")),
    (_BOAT, "is the boat tied to a pier?", ("yes",)),
    (("an old man feeding pigeons in front of a cathedral",), "who is feeding the pigeons?", ("man", "old man")),
    (("an old man feeding pigeons in front of a cathedral",), "what is the man feeding?", ("pigeons", "pigeon")),
    (("an old man feeding pigeons in front of a cathedral",), "what building is behind the man?", ("cathedral",)),
    (("an old man feeding pigeons in front of a cathedral",), "how many pigeons are there?", (UNKNOWN,)),
    (("a plate of spaghetti with tomato sauce and basil",), "what is on the plate?", ("spaghetti", "spaghetti with tomato sauce and basil")),
    (("a plate of spaghetti with tomato sauce and basil",), "which herb is on the pasta?", ("basil",)),
    (("a plate of spaghetti with tomato sauce and basil",), "is there a fork?", ("no", UNKNOWN)),
    (("three children building a snowman in a garden",), "what are the children building?", ("snowman",)),
    (("three children building a snowman in a garden",), "how many children are there?", ("three", "3")),
    (("three children building a snowman in a garden",), "where are the children?", ("garden", "in a garden")),
    (("three children building a snowman in a garden",), "what is the weather like in the afternoon?", (UNKNOWN,)),
    (("a gray kitten asleep on a laptop keyboard",), "what animal is this?", ("kitten", "gray kitten", "cat")),
    (("a gray kitten asleep on a laptop keyboard",), "what is the kitten sleeping on?", ("laptop keyboard", "keyboard", "laptop")),
    (("a gray kitten asleep on a laptop keyboard",), "is the kitten gray or black?", ("gray",)),
    (("a fire hydrant painted blue next to a parked van",), "what is next to the van?", ("fire hydrant", "hydrant")),
    (("a fire hydrant painted blue next to a parked van",), "what color is the hydrant?", ("blue",)),
    (("a fire hydrant painted blue next to a parked van",), "who painted the hydrant?", (UNKNOWN,)),
    (("a woman playing the cello on a stage",), "what instrument is the woman playing?", ("cello",)),
    (("a woman playing the cello on a stage",), "where is she playing?", ("stage", "on a stage")),
    (("a woman playing the cello on a stage",), "what is the name of the song?", (UNKNOWN,)),
    (("a shop window with a poster", "Text in the picture: HALF PRICE"), "what does the poster say?", ("half price",)),
    (("a road sign by a bend", "Text in the picture: SLOW"), "what is written on the sign?", ("slow",)),
    (("a toucan on a branch", "The toucan lives in the forests of Brazil. It eats fruit."), "what does the bird eat?", ("fruit",)),
    (("a toucan on a branch", "The toucan lives in the forests of Brazil. It eats fruit."), "which country does this bird live in?", ("brazil",)),
    (("a toucan on a branch", "The toucan lives in the forests of Brazil. It eats fruit."), "how long does the bird live?", (UNKNOWN,)),
    (("a silver samovar on a white cloth", "A samovar boils water for tea. It was first made in Tula."), "what is this used for?",
     ("boiling water", "boils water for tea", "tea", "boiling water for tea", "boils water", "water for tea", "water")),
    (("a silver samovar on a white cloth", "A samovar boils water for tea. It was first made in Tula."), "where was it first made?", ("tula", "in tula")),
    (("a silver samovar on a white cloth",), "what color is the cloth?", ("white",)),
    (("a lighthouse above a rocky coast",), "what is above the coast?", ("lighthouse",)),
    (("a lighthouse above a rocky coast",), "what is below the lighthouse?", ("coast", "rocky coast")),
    (("four hot air balloons over a valley",), "what is over the valley?", ("hot air balloons", "balloons", "four hot air balloons")),
    (("four hot air balloons over a valley",), "are there five balloons?", ("no",)),
)  # fmt: skip
