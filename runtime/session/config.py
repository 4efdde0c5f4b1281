"""What a run is asked for: the base of every loop's config."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field

from ..budget import Budget
from ..errors import BadInput
from ..records import Record, options_checked
from ..settings import Settings

__all__ = ["RunConfig", "option"]


def option(
    description: str,
    group: str = "",
    metavar: str = "",
    *,
    flag: str | bool = True,
    repeat: bool = False,
    optional: bool = False,
    **bounds: Any,
) -> Any:
    """What a field of a config says of itself, in its annotation.

    `epochs: Annotated[int, option("times each row is seen", ge=1)] = 3`

    Args:
        description: the help of its flag, and of its place in the reference.
        group: the heading of `--help` that the flag stands under.
        metavar: how help names the value.
        flag: the flag's name where it is not the field's; False: there is none.
        repeat: the flag of a tuple is given once a value, instead of values between commas.
        optional: the positional argument may be left out, since the command does something else then.
        bounds: those of `pydantic.Field`: `ge`, `le`, `min_length`, `pattern`, ...
    """
    extra: dict[str, Any] = {"group": group, "metavar": metavar, "flag": flag, "repeat": repeat, "optional": optional}
    return Field(description=description, json_schema_extra=extra, **bounds)


class RunConfig(Record):
    """What every loop can be told. A loop's own config adds its fields; their descriptions are the help of its flags."""

    SUBJECT: ClassVar[str] = ""
    """The field that positional arguments fill."""
    FROM_SETTINGS: ClassVar[tuple[str, ...]] = ("llm",)
    """The fields that come from the settings of the same name where they are not given."""

    budget: Annotated[
        str,
        option("stop at limits such as images=200,tokens=10000,seconds=60,money=0.5; with a result", metavar="LIMITS"),
    ] = ""
    in_flight: Annotated[int, option("tasks that are worked on at once", ge=1, le=1024)] = 8

    @classmethod
    def of(cls, *subjects: object, settings: Settings, **options: Any) -> Self:
        """The config of a call: positional arguments and options as in Python, models from the settings unless named.

        Raises:
            BadInput: an option that there is not or that cannot be used; it names the option.
        """
        for name in options:
            if name not in cls.model_fields:
                near = difflib.get_close_matches(name, cls.model_fields, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"the options are {', '.join(cls.model_fields)}."
                raise BadInput(f"there is no option {name!r}: {hint}")
        with options_checked():
            config = cls(**{**cls.defaults(settings), **cls.subjects(*subjects), **options})
        Budget.parse(config.budget)
        return config

    @classmethod
    def defaults(cls, settings: Settings) -> Mapping[str, Any]:
        """What the settings say of fields that are not given."""
        return {name: getattr(settings, name) for name in cls.FROM_SETTINGS if name in cls.model_fields}

    @classmethod
    def subjects(cls, *values: object) -> Mapping[str, Any]:
        """The fields that positional arguments fill: by default all of them `SUBJECT`, as a tuple."""
        if not values:
            return {}
        if not cls.SUBJECT:
            raise BadInput(f"{values[0]!r}: this loop takes named options alone.")
        return {cls.SUBJECT: values}

    def topics(self) -> list[str]:
        """What the run is about, for lists of runs: the values of `SUBJECT`."""
        value = getattr(self, self.SUBJECT, ()) if self.SUBJECT else ()
        return [value] if isinstance(value, str) else [str(each) for each in value]
