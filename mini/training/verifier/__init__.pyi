from .measure import measure_verifier
from .train import train_verifier

__all__ = ["measure_verifier", "train_verifier"]
