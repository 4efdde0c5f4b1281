from .clip import ClipEmbedder, open_clip, pooled
from .clip_adapter import CARD, AdapterCard, read_card
from .gated_blocks import insert_blocks, save_blocks
from .text_memory import TextMemory
from .text_open import open_text_embedder, text_weights
from .vision import PictureEncoder
from .vision_open import FAMILIES, open_encoder
from .zero_shot import class_vectors, classify

__all__ = [
    "AdapterCard",
    "CARD",
    "ClipEmbedder",
    "FAMILIES",
    "PictureEncoder",
    "TextMemory",
    "class_vectors",
    "classify",
    "insert_blocks",
    "open_clip",
    "open_encoder",
    "open_text_embedder",
    "pooled",
    "read_card",
    "save_blocks",
    "text_weights",
]
