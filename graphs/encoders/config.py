"""Which encoders are compared, on which pictures, and how."""

from __future__ import annotations

from typing import Annotated, ClassVar

from ...runtime.session import RunConfig, option

__all__ = ["CompareConfig"]


class CompareConfig(RunConfig):
    """Which encoders are compared, on which pictures, and how."""

    SUBJECT: ClassVar[str] = "encoders"
    FROM_SETTINGS: ClassVar[tuple[str, ...]] = ()

    in_flight: Annotated[int, option("encoders at once, of which one passes pictures", flag=False, ge=1, le=2)] = 2
    encoders: Annotated[
        tuple[str, ...],
        option("mini, FAMILY:MODEL, a folder, a hub id or module:object", metavar="ENCODER", min_length=1),
    ]
    on: Annotated[str, option("a folder with a subfolder a class, or a table of pictures and labels", metavar="SET")]
    test: Annotated[str, option("another such set to test on; default: half of each class", "how", "SET")] = ""
    shifted: Annotated[
        tuple[str, ...],
        option("a further set of the same classes to test on, such as of another domain", "how", "SET", repeat=True),
    ] = ()
    label: Annotated[str, option("the column of the class in tables", "how", "COLUMN")] = "label"
    template: Annotated[str, option("of a class name for zero-shot, with {}", "how", "TEXT")] = "a photo of a {}"
    shots: Annotated[int, option("examples a class for k-shot", "how", "K", ge=1)] = 5
    draws: Annotated[int, option("draws of these examples", "how", ge=2, le=1000)] = 10
    neighbours: Annotated[int, option("that vote in k nearest neighbours", "how", "K", ge=1)] = 20
    seeds: Annotated[int, option("validation splits that the probe's penalty is chosen on", "how", ge=2, le=100)] = 3
    seed: Annotated[int, option("of which pictures are for testing", "how", ge=0)] = 0
