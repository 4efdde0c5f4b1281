"""Prompts taken apart: scene graphs of questions (DSG), noun phrases, and the rules for simple English."""

from .noun_phrases import NotUnderstood
from .phrases import from_scene_graph
from .pieces import MOST_PIECES, Piece, pieces_of
from .questioner import Questioner
from .scene_graph import Question, SceneGraph, check_graph
from .scene_writer import SceneWriter
from .simple_english import simple_scene_graph

__all__ = [
    "MOST_PIECES",
    "Piece",
    "Question",
    "Questioner",
    "SceneGraph",
    "SceneWriter",
    "check_graph",
    "from_scene_graph",
    "pieces_of",
    "simple_scene_graph",
    "NotUnderstood",
]
