from .format import stop_words, verdict_words

__all__ = ["stop_words", "verdict_words"]
