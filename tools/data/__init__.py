"""Files of rows, pictures, captions, claims and passages, read and written."""

from .beir import read_corpus, read_qrels, read_queries
from .caption_rows import CaptionRow, read_caption_rows
from .claims import Claim, locate, read_claims, read_sentences
from .downloads import fetched
from .held_rows import kept_rows
from .human_answers import human_answers
from .labelled_pictures import LabelledPicture, read_labelled
from .pictures import SUFFIXES, Picture, as_shown, content_sha256, keep_picture, read_picture, read_pictures
from .prompted_pictures import Item, Items, picture_files, read_items
from .rows import drop_overlaps, folds, per_class, read_rows, text_key
from .shots import Selection, Shot, Shots
from .tables import KINDS, read_table
from .write import json_lines, parquet, size_category

__all__ = [
    "CaptionRow",
    "Claim",
    "KINDS",
    "Item",
    "Items",
    "LabelledPicture",
    "Picture",
    "SUFFIXES",
    "Selection",
    "Shot",
    "Shots",
    "as_shown",
    "content_sha256",
    "drop_overlaps",
    "fetched",
    "human_answers",
    "folds",
    "json_lines",
    "keep_picture",
    "kept_rows",
    "locate",
    "parquet",
    "per_class",
    "picture_files",
    "read_caption_rows",
    "read_claims",
    "read_corpus",
    "read_items",
    "read_labelled",
    "read_picture",
    "read_pictures",
    "read_qrels",
    "read_queries",
    "read_rows",
    "read_sentences",
    "read_table",
    "size_category",
    "text_key",
]
