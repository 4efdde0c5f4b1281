"""Models that are trained on few rows: linear on embeddings, classifiers, LoRA, and soups of them."""

from .base import StoredStudent, check_lengths
from .embedding import EmbeddingStudent
from .lora import LoraStudent
from .open import open_student
from .soups import check_soup, soup

__all__ = ["EmbeddingStudent", "LoraStudent", "StoredStudent", "check_lengths", "check_soup", "open_student", "soup"]
