"""Multinomial logistic regression with an L2 penalty, fitted for many penalties in a row.

The objective is scikit-learn's: the sum of the pictures' losses, plus half the penalty times the squared norm of the weights; the intercept is
free. What differs is how it gets there. Features are turned onto their principal axes, which changes neither objective nor answers,
and each axis is measured in units of its own curvature (the square root of a diagonal of the Hessian at equal probabilities): L-BFGS (Liu and
Nocedal 1989) then needs some ten steps where it needs a thousand on the axes of an encoder, most of which point almost the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

__all__ = ["Fit", "fits"]

_STEPS = 500
_NEAR = (
    1e-2  # the largest slope at the end, in the units above: a picture's loss is then within .002 of what it could be
)
_TINY = 1e-7  # of the largest axis: what is less is rounding


@dataclass(frozen=True)
class Fit:
    """A fit with one `penalty`: `weights` (d, classes) and `intercept` (classes,). `converged`: it ended before its 500 steps did."""

    penalty: float
    weights: NDArray[np.float64]
    intercept: NDArray[np.float64]
    converged: bool

    def answers(self, rows: NDArray[np.float64]) -> NDArray[np.intp]:
        """The number of the class (n,) of each row (n, d)."""
        return np.asarray((rows @ self.weights + self.intercept).argmax(axis=1))


def fits(rows: NDArray[np.float64], numbers: NDArray[np.integer[Any]], penalties: Sequence[float]) -> Iterator[Fit]:
    """The fits to `rows` (n, d) with classes `numbers` (n,), whole numbers from 0 on, by penalty; the largest comes first.

    Each begins where the one before ended.
    """
    import torch

    mean = rows.mean(axis=0)
    _, lengths, axes = np.linalg.svd(rows - mean, full_matrices=False)
    kept = lengths > _TINY * max(float(lengths.max()), 1e-300)
    lengths, axes = lengths[kept], axes[kept]
    classes = int(numbers.max()) + 1
    spread = (1 - 1 / classes) / classes  # of the probability of a class, at equal ones
    problem = _Problem(
        torch.from_numpy((rows - mean) @ axes.T),
        torch.from_numpy(np.asarray(numbers, dtype=np.int64)),
        torch.from_numpy(spread * np.append(lengths**2, len(rows))),
    )
    turned = torch.zeros(len(lengths) + 1, classes, dtype=torch.float64)
    for penalty in sorted(penalties, reverse=True):
        turned, converged = problem.solved(turned, penalty)
        weights = axes.T @ turned[:-1].numpy()
        yield Fit(penalty, weights, turned[-1].numpy() - mean @ weights, converged)


@dataclass(frozen=True)
class _Problem:
    """`rows` (n, axes) on their principal axes, their classes (n,), and the curvature (axes + 1,) of each axis and of the intercept."""

    rows: torch.Tensor
    numbers: torch.Tensor
    curvature: torch.Tensor

    def solved(self, weights: torch.Tensor, penalty: float) -> tuple[torch.Tensor, bool]:
        """The weights (axes and the intercept, classes), beginning with those given, and whether the steps sufficed."""
        import torch

        ridge = torch.full_like(self.curvature, penalty)[:, None]
        ridge[-1] = 0.0
        scale = (self.curvature[:, None] + ridge).sqrt()
        steps = weights * scale
        optimizer = torch.optim.LBFGS(
            [steps.requires_grad_()], max_iter=_STEPS, max_eval=2 * _STEPS, tolerance_grad=_NEAR, tolerance_change=1e-7,
            history_size=20, line_search_fn="strong_wolfe",
        )  # fmt: skip

        def objective() -> torch.Tensor:
            """With its slope, which is two products of matrices."""
            now = steps.detach() / scale
            logs = torch.log_softmax(self.rows @ now[:-1] + now[-1], dim=1)
            residuals = logs.exp()
            residuals[torch.arange(len(residuals)), self.numbers] -= 1
            slope = torch.cat([self.rows.T @ residuals, residuals.sum(dim=0)[None]]) + ridge * now
            steps.grad = slope / scale
            return 0.5 * (ridge * now**2).sum() - logs.gather(1, self.numbers[:, None]).sum()

        optimizer.step(objective)  # type: ignore[no-untyped-call]
        return steps.detach() / scale, int(optimizer.state[steps]["n_iter"]) < _STEPS
