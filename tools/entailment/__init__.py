"""Whether a text follows from another: by overlap, or by an NLI model."""

from .judgement import Entailment, Judgement
from .nli import open_nli
from .overlap import Overlap, Standing, evidence_features, found_features, passage_features
from .sentences import Span, sentences
from .words import content_words, numbers

__all__ = [
    "Entailment",
    "Judgement",
    "Overlap",
    "Span",
    "Standing",
    "content_words",
    "evidence_features",
    "found_features",
    "numbers",
    "open_nli",
    "passage_features",
    "sentences",
]
