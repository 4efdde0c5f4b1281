"""What a labelling leaves behind: a row an object with the reason of its route, and how far the router can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ...runtime.display import counted
from ...runtime.folder import RunResult, Task
from ...runtime.records import BlobRef, Record

if TYPE_CHECKING:
    from ...runtime.display import Cell

__all__ = ["Calibration", "LabelResult", "Labelled", "LabelledObject", "Route", "Verdict"]

Route = Literal["accepted", "judge", "person", "confirmed", "left out"]
"""`judge` and `person`: who is to be asked; at the end of a run those that `person` still stands at are doubtful."""
Verdict = Literal["", "right", "wrong", "label", "box", "skip"]


class LabelledObject(Record):
    """One object. `id`: its picture and a number; `box`: (x0, y0, x1, y1) in pixels of `image`, from the top left.

    `score`: the detector's, None for a box of a person's; `iou`, `stability`: the segmenter's (`Segment`); `p_yes`: the judge's, None where it was
    not asked or could not tell (`judged`). `confidence`: what the router goes by; `why`: the reason of its route. `answer`: what a person said, and
    `audit`: whether that was asked of a random one of the accepted; `was`: the label before a person gave another;
    `replaced`: a person's own label or box stands in its place.
    """

    id: str
    picture: str
    image: BlobRef
    label: str
    box: tuple[float, float, float, float]
    score: float | None = None
    mask: BlobRef
    iou: float
    stability: float
    judged: bool = False
    p_yes: float | None = None
    confidence: float = 0.0
    route: Route = "person"
    why: str = ""
    origin: Literal["detector", "person", "import"] = "detector"
    answer: Verdict = ""
    audit: bool = False
    was: str = ""
    replaced: bool = False

    @property
    def kept(self) -> bool:
        """Whether it is among the labels that are written as such."""
        return self.route in ("accepted", "confirmed")


class Calibration(Record):
    """What people's answers say of the router.

    `answers` of them there are, of which `right` were right. `threshold`: the confidence from which on masks are accepted unseen, None where
    the defaults are in use; `how`: in words. `above`: of the answered masks with such a confidence, how many are right, and of how many.
    `audit`: of accepted masks that were drawn at random and looked at, how many are right, of how many, and the 95 % interval of the share.
    """

    answers: int = 0
    right: int = 0
    target: float
    threshold: float | None = None
    how: str
    above: tuple[int, int] | None = None
    above_ci: tuple[float, float] | None = None
    audit: tuple[int, int] | None = None
    audit_ci: tuple[float, float] | None = None


class Labelled(Task):
    """The whole folder. `table`: the objects as JSON lines in the blob store, by picture; `routes`: how many went which way.

    `looks`: masks that a person looked at in this run. `failed`: by picture, why it has no labels. `sizes`: by picture, width and height as labelled.
    """

    pictures: int
    objects: int
    routes: dict[str, int]
    classes: dict[str, int]
    calibration: Calibration
    table: BlobRef
    sizes: dict[str, tuple[int, int]] = Field(default_factory=dict)
    unlabelled: dict[str, str] = Field(default_factory=dict)
    reviews: int = 0
    looks: int = 0
    to: str = ""
    notes: tuple[str, ...] = ()


class LabelResult(RunResult[Labelled]):
    """A run over one folder; without a task where the budget left no room for it."""

    def finding(self) -> str:
        """How many objects are labelled, and how many stay doubtful."""
        if not self.tasks:
            return "nothing was labelled"
        [done] = self.tasks
        kept = done.routes.get("accepted", 0) + done.routes.get("confirmed", 0)
        said = f"{counted(kept, 'object')} labelled in {counted(done.pictures, 'picture')}"
        if people := done.routes.get("confirmed", 0):
            said += f", {people} of them seen by a person"
        if doubtful := done.routes.get("person", 0):
            said += f"; {doubtful} doubtful"
        return said

    def rows(self) -> list[dict[str, Cell]]:
        """One row a class."""
        return [{"class": name, "objects": count} for task in self.tasks for name, count in task.classes.items()]
