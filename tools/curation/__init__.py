"""What to keep of many vectors: near copies removed, groups kept in view, examples followed, a few chosen for all."""

from .balance import balanced, hierarchy
from .clusters import Clusters, cluster, unit_rows
from .fair import CHOICES, Choice, fair_removal, group_similarities
from .graph_selection import coverage, farthest_first, graph_selection, neighbours
from .near_copies import KEEPS, RULES, Keep, Removal, Rule, components, nearest, priorities, remove_copies
from .retrieve import by_clusters, by_samples

__all__ = [
    "CHOICES",
    "Choice",
    "Clusters",
    "KEEPS",
    "Keep",
    "RULES",
    "Removal",
    "Rule",
    "balanced",
    "by_clusters",
    "by_samples",
    "cluster",
    "components",
    "coverage",
    "fair_removal",
    "farthest_first",
    "graph_selection",
    "group_similarities",
    "hierarchy",
    "nearest",
    "neighbours",
    "priorities",
    "remove_copies",
    "unit_rows",
]
