"""Whether a text follows from another: part by part, by overlap, or by an NLI model."""

from .answer_features import Features, nearness, outlook, word_features
from .answer_types import rival_answers, tells_by_itself
from .claims import Comparison, compare
from .judgement import Entailment, Judgement
from .nli import open_nli
from .overlap import Overlap, Standing, evidence_features, found_features, passage_features
from .picker import CalibratedPicker, Picked, Picker
from .quantities import quantities
from .quotations import Quotation, quotations, surroundings
from .reading import leans, stem
from .sentences import Span, sentences
from .words import STOP, content_words, numbers

__all__ = [
    "CalibratedPicker",
    "Comparison",
    "Entailment",
    "Features",
    "Judgement",
    "Overlap",
    "Picked",
    "Picker",
    "Quotation",
    "Span",
    "STOP",
    "Standing",
    "compare",
    "content_words",
    "evidence_features",
    "found_features",
    "leans",
    "nearness",
    "numbers",
    "open_nli",
    "outlook",
    "passage_features",
    "quantities",
    "quotations",
    "rival_answers",
    "sentences",
    "stem",
    "surroundings",
    "tells_by_itself",
    "word_features",
]
