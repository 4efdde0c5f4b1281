"""Encoders fitted to a domain: REACT, and classifiers that look things up in a memory."""

from .memory_classifier import MemoryClassifier, MemoryRecipe, vote
from .react import ReactRecipe, adapt, random_pairs, retrieve_pairs

__all__ = ["MemoryClassifier", "MemoryRecipe", "ReactRecipe", "adapt", "random_pairs", "retrieve_pairs", "vote"]
