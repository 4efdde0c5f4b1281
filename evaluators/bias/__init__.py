"""What a model looks at: shape or texture, which frequencies, which band, and what else moves its answers. These report; none is a goal."""

from .changes import CHANGES, LABELLED_CHANGES, grey, shifted, shrunk, written
from .critical_band import BANDS, NOISE_LEVELS, CriticalBand, critical_band, low_contrast, noisy, octave_noise
from .cue_conflict import ClassBias, ShapeBias, shape_bias
from .relation import FEWEST_MODELS, READING, Relation, relation
from .spectrum import CUTOFFS, high_pass, low_pass

__all__ = [
    "BANDS",
    "CHANGES",
    "CUTOFFS",
    "ClassBias",
    "CriticalBand",
    "FEWEST_MODELS",
    "LABELLED_CHANGES",
    "NOISE_LEVELS",
    "READING",
    "Relation",
    "ShapeBias",
    "critical_band",
    "grey",
    "high_pass",
    "low_contrast",
    "low_pass",
    "noisy",
    "octave_noise",
    "relation",
    "shape_bias",
    "shifted",
    "shrunk",
    "written",
]
