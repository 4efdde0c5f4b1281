"""Models that look at pictures: question answering, captions, detectors, text in pictures."""

from .captioners import each_caption, open_captioner
from .certificate import Certificate, CertifiedJudge, Figures
from .classifier import FunctionClassifier, PictureClassifier, open_classifier
from .detector import COCO, ObjectDetector, coco_name, open_detector
from .drawn_world import drawn_distance, drawn_ground, foreign_note, is_drawn
from .ensemble import EnsembleVQA, probability
from .local_captioner import promptcap_prompt
from .ocr import READERS, RapidOCR, open_ocr, open_page_reader
from .open import judges_of, open_vqa
from .questions import is_closed
from .tags import DetectorTags, is_detector, open_tagger
from .vision_vqa import VisionVQA
from .vqa import BlipVQA

__all__ = [
    "BlipVQA",
    "COCO",
    "Certificate",
    "CertifiedJudge",
    "DetectorTags",
    "EnsembleVQA",
    "Figures",
    "FunctionClassifier",
    "ObjectDetector",
    "PictureClassifier",
    "READERS",
    "RapidOCR",
    "VisionVQA",
    "coco_name",
    "drawn_distance",
    "drawn_ground",
    "each_caption",
    "foreign_note",
    "is_closed",
    "is_detector",
    "is_drawn",
    "open_captioner",
    "open_classifier",
    "open_detector",
    "open_ocr",
    "open_page_reader",
    "open_tagger",
    "judges_of",
    "open_vqa",
    "probability",
    "promptcap_prompt",
]
