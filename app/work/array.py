"""Which one of an array of jobs this process is, as SLURM tells."""

from __future__ import annotations

from collections.abc import Mapping

from ...runtime.errors import BadInput

__all__ = ["place_in_array"]


def place_in_array(environment: Mapping[str, str]) -> tuple[str, float, int]:
    """A name, where among the tasks to begin (0 to 1), so that not all jobs look at the same ones first, and how many jobs there are; ("", 0, 1) outside.

    Read are SLURM_ARRAY_TASK_ID with _MIN, _COUNT and _STEP, and SLURM_ARRAY_JOB_ID.

    Raises:
        BadInput: one of them is no number.
    """
    if "SLURM_ARRAY_TASK_ID" not in environment:
        return "", 0.0, 1

    def number(name: str, default: int) -> int:
        text = environment.get(f"SLURM_ARRAY_TASK_{name}", "") or str(default)
        try:
            return int(text)
        except ValueError:
            raise BadInput(f"SLURM_ARRAY_TASK_{name}={text!r} is no number.") from None

    id = number("ID", 0)
    count, step = max(1, number("COUNT", 1)), max(1, number("STEP", 1))
    place = (id - number("MIN", id)) // step
    job = environment.get("SLURM_ARRAY_JOB_ID", "")
    return f"slurm-{job}_{id}" if job else f"slurm-{id}", place % count / count, count
