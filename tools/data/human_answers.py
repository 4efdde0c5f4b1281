"""What people answered to a question, in the forms in which data sets hold it.

["calf", "cow"]                                    texts
[{"answer": "calf", "answer_id": 1}, ...]          VQA, OK-VQA
{"answer": ["calf", "cow"], "answer_id": [1, 2]}   the same as `datasets` keeps it, by column
"['calf', 'cow']"                                  some exports of A-OKVQA: the list as Python writes it
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

__all__ = ["human_answers"]


def human_answers(given: Any) -> list[tuple[str, int | str]]:
    """The text and the id of each person; ids are places where there are none. None is nobody.

    Raises:
        KeyError, TypeError, ValueError: another form.
    """
    if given is None:
        return []
    if isinstance(given, str):
        try:
            given = ast.literal_eval(given)
        except SyntaxError as error:
            raise ValueError(f"the answers are no list: {error.msg}") from None
    if isinstance(given, Mapping):
        texts = given["answer"]
        if not isinstance(texts, list | tuple):
            raise TypeError(f"the answers are {given!r:.80}, and must be a list")
        ids = given.get("answer_id") or range(len(texts))
        given = [{"answer": text, "answer_id": id} for text, id in zip(texts, ids, strict=True)]
    return [
        (str(one["answer"]), one.get("answer_id", place)) if isinstance(one, Mapping) else (_text(one), place)
        for place, one in enumerate(given)
    ]


def _text(one: Any) -> str:
    if not isinstance(one, str | int | float):
        raise TypeError(f"{one!r:.80} is no answer")
    return str(one)
