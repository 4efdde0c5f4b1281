"""Prompts taken apart: scene graphs of questions (DSG), noun phrases, and the rules for simple English."""

from .noun_phrases import NotUnderstood
from .phrases import from_scene_graph
from .questioner import Questioner
from .scene_graph import Question, SceneGraph, check_graph
from .scene_writer import SceneWriter
from .simple_english import simple_scene_graph

__all__ = [
    "Question",
    "Questioner",
    "SceneGraph",
    "SceneWriter",
    "check_graph",
    "from_scene_graph",
    "simple_scene_graph",
    "NotUnderstood",
]
