from .format import stop_words, verdict_words, vote_words

__all__ = ["stop_words", "verdict_words", "vote_words"]
