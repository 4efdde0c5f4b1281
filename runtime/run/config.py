"""What a run is asked for: the base of every loop's config."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import Field

from ..budget import Budget
from ..errors import BadInput
from ..records import Record, options_checked
from ..settings import Settings

__all__ = ["RunConfig"]


class RunConfig(Record):
    """What every loop can be told. A loop's own config adds its fields; their descriptions are the help of its flags."""

    SUBJECT: ClassVar[str] = ""
    """The field that positional arguments fill."""
    FROM_SETTINGS: ClassVar[tuple[str, ...]] = ("llm",)
    """The fields that come from the settings of the same name where they are not given."""

    budget: str = Field(
        default="",
        json_schema_extra={"metavar": "LIMITS"},
        description="stop at limits such as images=200,tokens=10000,seconds=60,money=0.5; with a result",
    )
    in_flight: int = Field(default=8, ge=1, le=1024, description="tasks that are worked on at once")

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
