"""Jinja templates of this package and of others, with what all of them can draw: `parts.html.j2`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ..errors import PrerequisiteError
from .frames import worded

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["draw", "environment"]

_HERE = __name__.rpartition(".")[0]
_LONG = re.compile(r"\S{25,}")  # longer than the words of a language
_WITHIN = re.compile(r"([/_\-.,:;@=&?#])(?=\w)|(\w{20})(?=\w)")


def environment(home: str) -> Environment:
    """Templates of the package `home`; text is escaped, an unknown name is an error.

    A template of another package is named `package:path`, one of this room `display/path`.
    """
    from jinja2 import BaseLoader, ChoiceLoader, Environment, PackageLoader, PrefixLoader, StrictUndefined

    class OfPackages(BaseLoader):
        """`package:path`."""

        def get_source(
            self, environment: Environment, template: str
        ) -> tuple[str, str | None, Callable[[], bool] | None]:
            package, _, path = template.rpartition(":")
            return _loader(package or home).get_source(environment, path)

    def _loader(package: str) -> PackageLoader:
        try:
            return PackageLoader(package, "")
        except (ImportError, ValueError) as error:
            raise PrerequisiteError(
                f"the templates of the package {package!r} cannot be read: {error}",
                remedy="install the package with its templates as package data.",
            ) from None

    made = Environment(
        loader=ChoiceLoader([PrefixLoader({"display": PackageLoader(_HERE, "")}), OfPackages()]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"soft": soft, "worded": worded}
    return made


def draw(template: str, *, home: str = _HERE, **values: Any) -> str:
    """What a template draws; see `environment`."""
    return environment(home).get_template(template).render(**values)


def soft(text: object) -> Markup:
    """Text in which what is longer than a word may be broken: addresses and hashes, after their signs or every 20 letters."""
    if isinstance(text, Markup):
        return text

    def broken(match: re.Match[str]) -> Markup:
        pieces = _WITHIN.sub(lambda found: f"{found[0]}\x00", match[0]).split("\x00")
        return Markup("<wbr>").join(pieces)

    words: list[str] = []
    end = 0
    for match in _LONG.finditer(whole := str(text)):
        words += [Markup.escape(whole[end : match.start()]), broken(match)]
        end = match.end()
    return Markup("").join([*words, whole[end:]])
