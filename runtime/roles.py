"""Who takes a role of a run: what a built-in spec opens, or a part that somebody brings along.

`Role.opener` makes an opener of built-in specs take, in the same argument, what else can play the role:

- an object that has what the protocol asks for (from Python: `models={"images": my_painter}`);
- `module:object`, or the name of a tool of an installed package (group `inloop.tools`), with options behind a `?`;
- each of these may also be a class or a function that makes the object, of what it asks for by the names of its parameters:
  `spec`, `store`, `settings`;
- or, where the role has a plain form, a function of that form, such as `paint(prompt, seed)`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, cast

from .errors import BadInput
from .registry import Registry, is_object

if TYPE_CHECKING:
    from .settings import Settings
    from .store import Store

__all__ = ["TOOLS", "Role", "close", "lacks", "make"]

PartT = TypeVar("PartT")
P = ParamSpec("P")

TOOLS: Registry[Any] = Registry("tool", "inloop.tools", {})
"""What packages bring for any role; whether one fits a role is known when it takes it."""


class Role(Generic[PartT]):
    """A role of a run.

    Args:
        noun: what messages call it, as in "text-to-image model".
        protocol: what takes it must be able to do.
        own: the built-in names and schemes (`gguf` of `gguf:PATH`), which no package can take.
        plain: makes the part of a function of the plain form and the store.
        form: the plain form in words, as in "paint(prompt: str, seed: int) -> PIL.Image".
    """

    def __init__(
        self,
        noun: str,
        protocol: type,
        *,
        own: tuple[str, ...] = (),
        plain: Callable[[Callable[..., Any], Store], PartT] | None = None,
        form: str = "",
    ) -> None:
        self.noun, self.protocol, self.own = noun, protocol, frozenset(own)
        self.plain, self.form = plain, form

    def opener(
        self, opener: Callable[Concatenate[str, Store, Settings, P], PartT]
    ) -> Callable[Concatenate[object, Store, Settings, P], PartT]:
        """`opener` for built-in specs, and everything else that can take the role."""

        @functools.wraps(opener)
        def open_part(spec: object, store: Store, settings: Settings, *args: P.args, **options: P.kwargs) -> PartT:
            if isinstance(spec, str) and not self.is_brought(spec):
                return opener(spec, store, settings, *args, **options)
            return self.bring(spec, store=store, settings=settings)

        open_part.role = self  # type: ignore[attr-defined]  # told apart by whoever passes an object on
        return cast("Callable[Concatenate[object, Store, Settings, P], PartT]", open_part)

    def is_brought(self, spec: str) -> bool:
        """Whether a spec names a tool of a package or an object, and nothing that is built in."""
        name = spec.partition("?")[0]
        return name.partition(":")[0] not in self.own and (name in TOOLS or is_object(name))

    def bring(self, spec: object, *, store: Store, **offered: Any) -> PartT:
        """The part that `spec` names, or is; `offered`: what a class or a function can ask for to make it.

        Raises:
            BadInput: it cannot be imported, or cannot take the role; the message says what it lacks.
            PrerequisiteError: the package that gives it is broken.
        """
        given = TOOLS.find(spec.partition("?")[0]) if isinstance(spec, str) else spec
        name = spec if isinstance(spec, str) else _name(given)
        part = make(given, spec=name, store=store, **offered)
        lacking = lacks(part, self.protocol)
        if not lacking:
            return part  # type: ignore[no-any-return]
        if self.plain is not None and inspect.isroutine(part):
            return self.plain(part, store)
        also = f" Or give a function {self.form}." if self.form else ""
        raise BadInput(f"{name!r} is no {self.noun}: it has no {', no '.join(lacking)}.{also}")


async def close(part: object) -> None:
    """Let go of what a part holds, by its `aclose` or `close`; a part that has neither holds nothing."""
    end = getattr(part, "aclose", None) or getattr(part, "close", None)
    ended = end() if end is not None else None
    if inspect.isawaitable(ended):
        await ended


def make(given: Any, **offered: Any) -> Any:
    """What a class, or a function that asks for nothing but what is `offered`, makes; anything else is what it is."""
    if not (inspect.isclass(given) or inspect.isroutine(given)):
        return given
    try:
        parameters = inspect.signature(given).parameters.values()
    except ValueError:  # some functions written in C tell no signature
        return given
    asked = [parameter.name for parameter in parameters if parameter.default is inspect.Parameter.empty]
    if inspect.isclass(given) or {*asked} <= {*offered}:
        missing = sorted({*asked} - {*offered})
        if missing:
            raise BadInput(
                f"the class {_name(given)!r} asks for {', '.join(missing)}: it can be given {', '.join(offered)}; or name an object of it."
            )
        return given(**{each.name: offered[each.name] for each in parameters if each.name in offered})
    return given


def lacks(part: object, protocol: type) -> list[str]:
    """What a protocol asks for and `part` does not have, in words; methods that must be async are named so."""
    lacking = []
    for name in sorted(name for name in dir(protocol) if not name.startswith("_")):
        wanted, there = getattr(protocol, name), inspect.getattr_static(part, name, None)
        if there is None and not hasattr(part, name):
            lacking.append(name)
        elif inspect.iscoroutinefunction(wanted) and not inspect.iscoroutinefunction(getattr(part, name)):
            lacking.append(f"async {name}")
    return lacking


def _name(given: Any) -> str:
    named = given if inspect.isclass(given) or inspect.isroutine(given) else type(given)
    return f"{named.__module__}:{named.__qualname__}"
