"""What to keep of many vectors: near copies removed, groups kept in view, examples followed, a few chosen for all."""

from .alignment import DETAILED, Alignment, Thumbnails, align, detail
from .balance import balanced, hierarchy
from .clusters import Clusters, cluster, cluster_count, unit_rows
from .fair import CHOICES, Choice, fair_removal, group_similarities
from .graph_selection import coverage, farthest_first, graph_selection, neighbours
from .labels import FOLDS, Doubts, doubted, folds_of, packages_there, planted_labels, probed, told_by
from .lists import Border, found_border, nearest_cosines
from .looks import ISSUES, Issue, Look, hash_bits, look_at, odd_sizes
from .membership import Mixture, likely, membership
from .near_copies import KEEPS, RULES, Keep, Removal, Rule, components, nearest, priorities, remove_copies
from .pairs import Pairs, joined, near_pairs, remove_pairs
from .planted import CHANGES, COPIES, Change, CurvePoint, Planted, plant, proposed, recall_curve
from .retrieve import by_clusters, by_samples
from .themes import distinctive_words, tells, theme_count, themes
from .vectors import SomeRows, open_vectors

__all__ = [
    "align",
    "Alignment",
    "balanced",
    "Border",
    "by_clusters",
    "by_samples",
    "Change",
    "CHANGES",
    "Choice",
    "CHOICES",
    "cluster",
    "cluster_count",
    "Clusters",
    "components",
    "COPIES",
    "coverage",
    "detail",
    "distinctive_words",
    "DETAILED",
    "doubted",
    "Doubts",
    "CurvePoint",
    "fair_removal",
    "FOLDS",
    "folds_of",
    "farthest_first",
    "found_border",
    "graph_selection",
    "group_similarities",
    "hash_bits",
    "hierarchy",
    "Issue",
    "ISSUES",
    "joined",
    "Keep",
    "KEEPS",
    "Look",
    "likely",
    "look_at",
    "membership",
    "Mixture",
    "near_pairs",
    "nearest",
    "nearest_cosines",
    "neighbours",
    "odd_sizes",
    "packages_there",
    "open_vectors",
    "Pairs",
    "plant",
    "planted_labels",
    "Planted",
    "priorities",
    "probed",
    "proposed",
    "recall_curve",
    "Removal",
    "remove_copies",
    "remove_pairs",
    "Rule",
    "RULES",
    "SomeRows",
    "Thumbnails",
    "tells",
    "theme_count",
    "themes",
    "told_by",
    "unit_rows",
]
