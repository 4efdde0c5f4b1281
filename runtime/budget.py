"""What a run may spend. Running out is a stop with its reason in words, never an exception.

Limits: `images`, `answers`, `tokens` (input and output of language models), `calls`, `seconds` (of wall clock, over all
processes of a run), `money` (US dollars), and the amounts that kinds of calls book besides (see `runtime.store.CallKind`). A
price that is not known is not 0: the money limit then cannot be checked, and `notes` says so once.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from .errors import BadInput
from .records import Cost
from .store import CALL_KINDS

_NOTHING = Cost()

__all__ = ["LIMITS", "Budget"]

LIMITS = ("images", "answers", "tokens", "calls", "seconds", "money")
_WHOLE = ("images", "answers", "tokens", "calls")


class Budget:
    """Limits with what is spent so far.

    Args:
        limits: by name, each above 0; what is not named is not limited.
        spent: the cost of the run's earlier processes (`Ledger.spent`), when it is resumed.
        elapsed: the seconds of the run's earlier processes.
    """

    def __init__(
        self,
        limits: dict[str, float] | None = None,
        *,
        spent: Cost = _NOTHING,
        elapsed: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = {name: _checked(name, value, f"{name}={value!r}") for name, value in (limits or {}).items()}
        self.catch_up: Callable[[], None] = lambda: None
        """Charges what others spent from the same budget; called before it is looked at."""
        self.spent = Cost()
        self.notes: list[str] = []
        self._money = 0.0
        self._clock = clock
        self._started = clock() - elapsed
        self.charge(spent)

    @classmethod
    def parse(cls, text: str, *, spent: Cost = _NOTHING, elapsed: float = 0.0) -> Budget:
        """A budget from `"images=200,tokens=10000,seconds=60,money=0.5"`; an empty text sets no limit.

        Raises:
            BadInput: an unknown name, a name given twice, or a limit that is no number above 0.
        """
        limits: dict[str, float] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, sign, value = (piece.strip() for piece in part.partition("="))
            if not sign:
                raise BadInput(f"budget {part!r}: write name=limit, as in 'images=200,seconds=60'.")
            if name in limits:
                raise BadInput(f"budget {text!r}: {name!r} is given twice; give each limit once.")
            limits[name] = _checked(name, value, part)
        return cls(limits, spent=spent, elapsed=elapsed)

    @property
    def elapsed(self) -> float:
        """Seconds of wall clock so far."""
        return self._clock() - self._started

    def charge(self, cost: Cost) -> None:
        """Book what was spent."""
        self.spent = self.spent + cost
        if cost.money is not None:
            self._money += cost.money
        elif "money" in self.limits and not self.notes:
            self.notes.append(
                f"the price of some calls is not known: the limit money={self.limits['money']:g} is checked"
                " against the known prices only."
            )

    def exhausted(self, ahead: Cost = _NOTHING) -> str | None:
        """Why to stop now, in words; None to go on.

        With `ahead`, the cost of the next step: also a reason when that step would go beyond a limit.
        """
        self.catch_up()
        now, then = self._used(_NOTHING), self._used(ahead)
        for name, limit in self.limits.items():
            used, expected = now.get(name, 0.0), then.get(name, 0.0)
            if used >= limit:
                return f"the budget of {_amount(name, limit)} is spent ({_amount(name, used)} used)"
            if expected > limit:
                return (
                    f"the next step would go beyond the budget of {_amount(name, limit)}"
                    f" ({_amount(name, used)} used, {_amount(name, expected - used)} needed)"
                )
        return None

    def __str__(self) -> str:
        """The limits as `parse` reads them."""
        return ",".join(f"{name}={limit:.15g}" for name, limit in self.limits.items())

    def _used(self, ahead: Cost) -> dict[str, float]:
        total = self.spent + ahead
        return {
            "images": total.images,
            "answers": total.answers,
            "tokens": total.input_tokens + total.output_tokens,
            "calls": total.calls,
            "seconds": self.elapsed + ahead.seconds,
            "money": self._money + (ahead.money or 0.0),
            **total.amounts,
        }


def _amounts() -> dict[str, str]:
    """By name, the unit of what kinds of calls book besides; imports the packages that add such kinds."""
    return {name: unit for kind in CALL_KINDS for name, unit in CALL_KINDS.find(kind).amounts.items()}


def _checked(name: str, value: object, part: str) -> float:
    if name not in LIMITS and name not in (amounts := _amounts()):
        raise BadInput(f"budget {part!r}: there is no limit {name!r}; the limits are {', '.join([*LIMITS, *amounts])}.")
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise BadInput(f"budget {part!r}: {value!r} is not a number; write it as in '{name}=60'.") from None
    if not math.isfinite(number) or number <= 0:
        raise BadInput(f"budget {part!r}: the limit must be above 0; leave {name!r} out for no limit.")
    if name in _WHOLE and number != int(number):
        raise BadInput(f"budget {part!r}: {name!r} are counted; give a whole number.")
    return number


def _amount(name: str, value: float) -> str:
    if name == "money":
        return f"{value:.4g} dollars"
    if name not in LIMITS:
        return f"{value:.4g} {_amounts()[name]}"
    return f"{value:.1f} seconds" if name == "seconds" else f"{value:.0f} {name}"
