"""Models that are trained on few rows: linear on embeddings, classifiers, LoRA, and soups of them."""

from .base import StoredStudent, check_lengths
from .embedding import EmbeddingStudent
from .lora import LoraStudent
from .open import open_student
from .soups import soup

__all__ = ["EmbeddingStudent", "LoraStudent", "StoredStudent", "check_lengths", "open_student", "soup"]
