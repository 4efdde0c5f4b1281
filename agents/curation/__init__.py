"""The curator of a picture set: names its themes, proposes groups, says what is missing and which words would find it."""

from .curator import Attribute, Curator, Gap

__all__ = ["Attribute", "Curator", "Gap"]
