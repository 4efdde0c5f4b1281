"""What every `Index` must do, as checks that can be run on a store of your own; no test framework is needed.

    from inloop.tools.index.conformance.checks import CHECKS, Lacks

    @pytest.mark.parametrize("check", CHECKS)
    async def test_my_store(check, tmp_path):
        async def opener(**given):                  # text=, image=, chunker= as of open_index
            return await MyIndex(tmp_path / "index", **given).open()
        await CHECKS[check](opener, Lacks())

`opener` opens the same place each time; the place is empty before a check. A check that finds a fault raises
`AssertionError` with what was wrong. What a store is known to lack is named in `Lacks`: the check then is that it says
so (`BadInput`), for a filter that is ignored in silence gives wrong results.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from .expectations import Lacks, Opener
from .keeping import (
    deletes_delete,
    manifest,
    many_at_once,
    put_and_get,
    records,
    vectors_added,
    vectors_later,
    widening,
)
from .samples import LetterEmbedder
from .searching import dense_search, filters, hybrid_search, pictures, word_search

__all__ = ["CHECKS", "Lacks", "LetterEmbedder", "Opener", "check_all"]

_NOTHING = Lacks()

CHECKS: dict[str, Callable[[Opener, Lacks], Awaitable[None]]] = {
    check.__name__: check
    for check in (
        put_and_get,
        deletes_delete,
        dense_search,
        word_search,
        hybrid_search,
        filters,
        pictures,
        widening,
        vectors_later,
        vectors_added,
        records,
        manifest,
        many_at_once,
    )
}
"""The checks by name; each takes an opener and what the store lacks."""


async def check_all(opener: Callable[[], Opener], lacks: Lacks = _NOTHING) -> dict[str, str]:
    """Run every check, each on the place of a new opener; by check, "" or what was wrong."""
    outcomes = {}
    for name, check in CHECKS.items():
        try:
            await check(opener(), lacks)
            outcomes[name] = ""
        except AssertionError as error:
            outcomes[name] = str(error)
    return outcomes
