"""The page of a run: what all loops share stands in `base.html.j2`, what a loop adds in a template of its own."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from ...runtime.display import DEFAULT_LIMIT, Pictures, amount, environment, images_of, seconds, worded
from ...runtime.folder import RunResult

if TYPE_CHECKING:
    from ...runtime.store import BlobStore

__all__ = ["run_page"]

_APP = __name__.rsplit(".", 2)[0]
_ASIAN = re.compile(
    "[\u1100-\u11ff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"
)


def run_page(
    result: RunResult[Any],
    blobs: BlobStore | None,
    limit: int = DEFAULT_LIMIT,
    *,
    template: str = "report/run.html.j2",
    pictures: Pictures | None = None,
    hidden: Collection[str] = (),
    **values: Any,
) -> str:
    """The whole page as a string; the same result gives the same bytes.

    Args:
        result: what the run left behind.
        blobs: where its pictures are; one that is not there is counted on the page and not an error.
        limit: bytes of pictures to embed at most (as data URIs).
        template: extends `report/base.html.j2`; named from the folder of the app (`rag/ask.html.j2`), or as `package:path`.
        pictures: those that are embedded already; by default all pictures of the result's `rows()` are.
        hidden: fields of the config that the page shows elsewhere.
        values: what the template needs besides. `headline` (default: the result's `finding()`), `verdict` and `kind` ("good", "bad",
            "unknown") are drawn by the base.
    """
    rows = result.rows()
    if pictures is None and blobs is not None:
        pictures = Pictures(blobs, limit)
        pictures.embed(images_of(rows))
    names = list(dict.fromkeys(name for row in rows for name in row))
    shared: dict[str, Any] = {
        "result": result,
        "headline": "",
        "verdict": "",
        "kind": "unknown",
        "stopped": result.stopped,
        "when": result.created.replace("T", " ")[:16],
        "took": seconds(result.seconds),
        "columns": [(name, "num" if any(_is_number(row.get(name)) for row in rows) else "") for name in names],
        "rows": [[row.get(name) for name in names] for row in rows],
        "pictures": pictures,
        "failed": list(result.failed.items()),
        "models": _models(result),
        "config": _settings(result, hidden),
        "spent": _spent(result),
        "calls": [(kind, amount(n.get("paid", 0)), amount(n.get("reused", 0))) for kind, n in sorted(result.calls.items())],
        "missing": len(pictures.missing) if pictures else 0,
        "left_out": len(pictures.left_out) if pictures else 0,
        "asian": _ASIAN.search(result.model_dump_json()) is not None,
    }  # fmt: skip
    return environment(_APP).get_template(template).render(**{**shared, **values})


def _models(result: RunResult[Any]) -> list[tuple[str, str, str, str, str]]:
    """Role, id, revision, the spec by which the model was asked for where that says more than the id, and its servers where it has several."""
    named = []
    for role, model in result.models.items():
        spec = str(result.config.get(role) or "")
        id = str(model.get("id", ""))
        servers = str(model.get("servers", ""))
        shown = "" if servers or spec in ("", id) else spec
        named.append((role, id, str(model.get("revision", ""))[:16], shown, servers))
    return named


def _settings(result: RunResult[Any], hidden: Collection[str]) -> list[tuple[str, str]]:
    """The config in words without what stands elsewhere: models by role, and what was left unset."""
    flat: dict[str, Any] = {}
    for key, value in result.config.items():
        inner = {f"{key}: {name}": each for name, each in value.items()} if isinstance(value, Mapping) else {}
        flat.update(inner or {key: value})
    return [
        (key.replace("_", " "), worded(value))
        for key, value in sorted(flat.items())
        if key not in hidden and key not in result.models and value not in ("", None, [], {}, ())
    ]


def _spent(result: RunResult[Any]) -> list[tuple[str, str]]:
    cost = result.cost
    counted = [
        ("images painted", cost.images),
        ("questions answered", cost.answers),
        ("tokens in", cost.input_tokens),
        ("tokens out", cost.output_tokens),
    ]
    money = "unknown" if cost.money is None else f"{cost.money:.4g} US$"
    return [
        *((name, amount(count)) for name, count in counted if count),
        ("model seconds", seconds(cost.seconds)),
        ("money", money),
    ]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
