"""Language models around pictures: captions written for a question, answers from captions, follow-ups and support."""

from .caption_answerer import (
    PRESETS,
    CaptionAnswerer,
    PresetName,
    Vote,
    is_untold,
    nearest_choice,
    short_answer,
    written_there,
)
from .caption_writer import CaptionJudge, CaptionReader, CaptionWriter
from .follow_up import FollowUp, LLMFollowUp, PlainFollowUp
from .neighbour_captioner import write_captions
from .support import LLMSupport, Support, WordSupport

__all__ = [
    "CaptionAnswerer",
    "CaptionJudge",
    "CaptionReader",
    "CaptionWriter",
    "FollowUp",
    "LLMFollowUp",
    "LLMSupport",
    "PRESETS",
    "PlainFollowUp",
    "PresetName",
    "Support",
    "Vote",
    "WordSupport",
    "is_untold",
    "nearest_choice",
    "short_answer",
    "write_captions",
    "written_there",
]
