"""Language models around pictures: captions written for a question, answers from captions, follow-ups and support."""

from .answer_prompt import PRESETS, PresetName, answering_messages, written_there
from .caption_answerer import CaptionAnswerer, Vote
from .caption_writer import CaptionJudge, CaptionReader, CaptionWriter
from .choices import meant_choice
from .class_namer import ClassNamer
from .follow_up import FollowUp, LLMFollowUp, PlainFollowUp
from .neighbour_captioner import write_captions
from .replies import is_untold, short_answer
from .support import LLMSupport, Support, WordSupport
from .word_stems import stem

__all__ = [
    "CaptionAnswerer",
    "CaptionJudge",
    "CaptionReader",
    "CaptionWriter",
    "ClassNamer",
    "FollowUp",
    "LLMFollowUp",
    "LLMSupport",
    "PRESETS",
    "PlainFollowUp",
    "PresetName",
    "Support",
    "Vote",
    "WordSupport",
    "answering_messages",
    "is_untold",
    "meant_choice",
    "short_answer",
    "stem",
    "write_captions",
    "written_there",
]
