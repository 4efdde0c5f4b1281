"""What features of pictures are good for: linear probes, nearest neighbours, few examples, names of classes."""

from .checks import Features, Labels
from .few_shot import FewShot, k_shot
from .nearest import knn
from .probe import STRENGTHS, Penalty, Probe, chosen_penalty, linear_probe, probes
from .ranking import Pair, Ranking, ranking
from .readings import Reading, read
from .zero_shot import zero_shot

__all__ = [
    "STRENGTHS",
    "Features",
    "FewShot",
    "Labels",
    "Pair",
    "Penalty",
    "Probe",
    "chosen_penalty",
    "Ranking",
    "Reading",
    "k_shot",
    "knn",
    "linear_probe",
    "probes",
    "ranking",
    "read",
    "zero_shot",
]
