"""inloop puts a language model in the loop of vision-language work: propose, realise, score, keep what is better."""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("inloop")
