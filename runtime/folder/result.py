"""What every run leaves behind: the record that `result.json` of its folder holds, and how it shows itself in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

from pydantic import Field, PrivateAttr

from ..errors import BadInput
from ..records import Cost, Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

    from ..display import Cell, Forest
    from ..store import BlobStore, StoreLocation, Votes

__all__ = ["RunResult", "Task"]


class Task(Record):
    """What became of one task of a run; a loop adds what it has to say of it."""

    id: str


TaskT = TypeVar("TaskT", bound=Task, covariant=True)


class RunResult(Record, Generic[TaskT]):
    """The whole run.

    `models`: id and revision by role. `seconds`: at work, over all processes. `failed`: by task id, why it failed for good.
    `stopped`: why tasks were left out, None where none was. `calls`: by kind (llm, image, ...), how many were paid and how many
    came from the ledger. `notes`: what a reader must know of how this came about.

    In a notebook a result is a table with its pictures and intervals; `to_pandas` and `plot` give the same to go on with. A loop says
    what is its own by overriding `finding`, `rows` and `forests`; without that every field of a task is a column.
    """

    VERSION: ClassVar[int] = 1
    """Raised where older results can no longer be read."""

    schema_version: int = VERSION
    run_id: str
    loop: str
    created: str
    seconds: float
    config: dict[str, Any]
    models: dict[str, dict[str, str]] = Field(default_factory=dict)
    tasks: tuple[TaskT, ...]
    failed: dict[str, str] = Field(default_factory=dict)
    stopped: str | None = None
    cost: Cost = Cost()
    calls: dict[str, dict[str, int]] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()

    _store: StoreLocation | None = PrivateAttr(default=None)

    def __eq__(self, other: object) -> bool:
        """Two results are equal that say the same; where their pictures lie is no part of it."""
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        """Of the run's id, which equal results share."""
        return hash(self.run_id)

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickle: `RunResult[MyTask]` is made at run time, and no name that another process could import leads to it."""
        generic = type(self).__pydantic_generic_metadata__
        return _unpickled, (generic["origin"] or type(self), generic["args"], self.__getstate__())

    def finding(self) -> str:
        """What came out in one sentence, the strongest rival beside the result where there is one."""
        tasks = f"{len(self.tasks)} task{'' if len(self.tasks) == 1 else 's'}"
        return f"{tasks}, {len(self.failed)} failed" if self.failed else tasks

    def rows(self) -> list[dict[str, Cell]]:
        """The table: by column, one row a task."""
        from ..display import cells_of

        return [cells_of(task) for task in self.tasks]

    def forests(self) -> tuple[Forest, ...]:
        """The estimates that can be compared, with their intervals; none by default."""
        return ()

    def to_pandas(self) -> DataFrame:
        """The table as a data frame; pictures are their sha256.

        Raises:
            PrerequisiteError: pandas is not installed.
        """
        from ..display import frame_of

        return frame_of(self.rows())

    def plot(self) -> Figure:
        """A matplotlib figure of what can be compared: estimates with their intervals, else the numbers of the table by row.

        Raises:
            PrerequisiteError: matplotlib is not installed.
            BadInput: there is no number to draw.
        """
        from ..display import draw_bars, draw_forest, new_figure

        if forests := self.forests():
            figure, panels = new_figure(len(forests), height=1.1 + 0.42 * max(len(forest.rows) for forest in forests))
            for axes, forest in zip(panels, forests, strict=True):
                draw_forest(axes, forest)
            return figure
        rows = self.rows()
        numbers = [name for name in (rows[0] if rows else ()) if any(_is_number(row.get(name)) for row in rows)]
        if not numbers:
            raise BadInput(f"the result of {self.run_id!r} has no numbers to draw: .to_pandas() gives its table.")
        figure, panels = new_figure(len(numbers), height=1.0 + 0.3 * len(rows))
        for axes, name in zip(panels, numbers, strict=True):
            values = {str(next(iter(row.values()))): row[name] for row in rows if _is_number(row.get(name))}
            draw_bars(axes, values, title=name)
        return figure

    def blobs(self) -> BlobStore | None:
        """The pictures of the run; None where it was neither made nor read from its folder by this process."""
        return None if self._store is None else self._store.open_blobs()

    def votes(self) -> Votes | None:
        """The votes in the store of the run; None as with `blobs`."""
        return None if self._store is None else self._store.votes()

    def kept_in(self, store: StoreLocation) -> Self:
        """The same result, which knows the store that its pictures are in."""
        self._store = store
        return self

    def _repr_html_(self) -> str:
        from ..display import Pictures, draw, images_of

        rows = self.rows()
        shown, names = rows[:_SHOWN], list(dict.fromkeys(name for row in rows for name in row))
        blobs = self.blobs()
        pictures = None if blobs is None else Pictures(blobs, limit=_PICTURES, side=96)
        if pictures is not None:
            pictures.embed(images_of(shown))
        return draw(
            "display/notebook.html.j2",
            finding=self.finding(),
            forests=self.forests(),
            loop_name=self.loop,
            columns=[(name, "num" if any(_is_number(row.get(name)) for row in rows) else "") for name in names],
            rows=[[row.get(name) for name in names] for row in shown],
            more=len(rows) - len(shown),
            pictures=pictures,
            notes=[f"stopped: {self.stopped}"] * bool(self.stopped) + [*self.notes],
        )


_SHOWN = 20
"""Rows of the table in a notebook."""
_PICTURES = 400_000
"""Bytes of pictures in a notebook's cell."""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _unpickled(kind: Any, arguments: tuple[Any, ...], state: dict[Any, Any]) -> RunResult[Any]:
    made = kind[arguments] if arguments else kind
    result: RunResult[Any] = made.__new__(made)
    result.__setstate__(state)
    return result
