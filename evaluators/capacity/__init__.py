"""How much a model remembers: bits stored a parameter, of facts whose entropy is known."""

from .bits import StoredBits, stored_bits
from .facts import OfferedBits, draw_facts, offered_bits
from .fit import HELD, Fit, Fits, Method, Room, fit_of, fit_of_measured, room_of
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
from .student import StudentFit, held_share, student_fit, writing_student

__all__ = [
    "PRECISIONS",
    "Fit",
    "Fits",
    "HELD",
    "Losses",
    "Method",
    "OfferedBits",
    "Room",
    "draw_facts",
    "fit_of",
    "fit_of_measured",
    "offered_bits",
    "room_of",
    "People",
    "PictureFacts",
    "Piece",
    "Precision",
    "StoredBits",
    "StudentFit",
    "held_share",
    "student_fit",
    "writing_student",
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
