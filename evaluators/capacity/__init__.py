"""How much a model remembers: bits stored a parameter, of facts whose entropy is known."""

from .bits import StoredBits, stored_bits
from .language import Losses, learn_people, people_bits, people_losses, small_model, word_tokenizer
from .people import People, Piece, draw_people
from .pictures import (
    PictureFacts,
    learn_pictures,
    picture_bits,
    picture_facts,
    random_patterns,
    small_picture_model,
)
from .precision import PRECISIONS, Precision, at_precision

__all__ = [
    "PRECISIONS",
    "Losses",
    "People",
    "PictureFacts",
    "Piece",
    "Precision",
    "StoredBits",
    "at_precision",
    "draw_people",
    "learn_people",
    "learn_pictures",
    "people_bits",
    "people_losses",
    "picture_bits",
    "picture_facts",
    "random_patterns",
    "small_model",
    "small_picture_model",
    "stored_bits",
    "word_tokenizer",
]
