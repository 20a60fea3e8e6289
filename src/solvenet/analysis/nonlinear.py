"""ReLU networks of one input with trained weights and biases: exact gradients in O(n)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from solvenet._validation import check_count
from solvenet.analysis.biases import values_at
from solvenet.analysis.problems import (
    Function,
    Problem,
    Workspace,
    checked_parameters,
    probe_list,
)
from solvenet.analysis.quadrature import gauss_rule, tail_integrals

if TYPE_CHECKING:
    from solvenet._array_api import Array


class ReLUProblem(Problem):
    """Learning a function with ReLU units, in L2(-1, 1), without a grid.

    Parameters
    ----------
    target : callable
        f, vectorised over points of (-1, 1).
    probes : iterable of callables, optional
        Functions that the residual is projected on; by default f itself.
    n_cells : int, default=4096
        Cells of the tables of integrals of f: wide enough for fifty waves in float64.

    Raises
    ------
    InvalidDataError
        A function that is not finite or returns another shape.

    Notes
    -----
    The network is piecewise linear, hence its integrals from b to 1, once and twice, are
    prefix sums over sorted biases; those of f are looked up in a table (quintic Hermite
    polynomials on `n_cells` cells, exact at their ends). A gradient costs O(n) operations
    and no grid of points, where the direct form takes ``O(m n)``. Biases may leave (-1, 1).

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.analysis import ReLUProblem, uniform_biases
    >>> problem = ReLUProblem(lambda x: np.cos(np.pi * x))
    >>> b = uniform_biases(5)
    >>> grad_a, grad_b = problem.gradient(np.ones(5), b)
    >>> np.round(grad_a, 3)
    array([5.417, 3.664, 2.057, 0.643, 0.   ])
    """

    def __init__(
        self,
        target: Function,
        *,
        probes: Iterable[Function] | None = None,
        n_cells: int = 4096,
    ) -> None:
        n_cells = check_count("n_cells", n_cells)
        self.tails = _Tails(target, n_cells, name="target")
        functions = probe_list(target, probes)
        self.probe_tails = [_Tails(probe, n_cells, name="a probe") for probe in functions]
        self.n_probes = len(functions)
        x, weights = gauss_rule(np.linspace(-1.0, 1.0, n_cells + 1), 8)
        values = values_at(target, x, name="target")
        self.square = float(weights @ values**2)
        probed = [values_at(probe, x, name="a probe") for probe in functions]
        self.at_zero = np.array([(weights * values) @ probe for probe in probed])

    def workspace(self, b: Array, *, train_biases: bool) -> Workspace:
        """Return what a run from these biases needs; see :class:`Problem`."""
        return _Sorted(self, b, train_biases)

    def values(self, x: Array, a: Array, b: Array) -> Array:
        """Return the network at points, in O((m + n) log n); see :class:`Problem`."""
        a, b = checked_parameters(a, b)
        order = np.argsort(b, kind="stable")
        knots, slopes = b[order], np.cumsum(a[order])
        at_knots = np.concatenate([[0.0], np.cumsum(slopes[:-1] * np.diff(knots))])
        x = np.asarray(x, dtype=np.float64)
        left = np.searchsorted(knots, x, side="right") - 1
        return np.where(left < 0, 0.0, at_knots[left] + slopes[left] * (x - knots[left]))


class _Tails:
    """The integrals of f from b to 1, once and twice, as functions of b."""

    def __init__(self, f: Function, n_cells: int, *, name: str) -> None:
        edges = np.linspace(-1.0, 1.0, n_cells + 1)
        x, weights = gauss_rule(edges, 8)
        once, twice = tail_integrals(edges, x, weights * values_at(f, x, name=name))
        h = 2.0 / n_cells
        # One quintic a cell: value, slope -once and curvature f at both of its ends.
        f0, f1 = np.split(h**2 * values_at(f, np.stack([edges[:-1], edges[1:]]), name=name), 2)
        slope0, slope1 = -h * once[:-1], -h * once[1:]
        A = twice[1:] - twice[:-1] - slope0 - f0[0] / 2
        B = slope1 - slope0 - f0[0]
        C = f1[0] - f0[0]
        self.table = np.stack(
            [
                6 * A - 3 * B + C / 2,
                -15 * A + 7 * B - C,
                10 * A - 4 * B + C / 2,
                f0[0] / 2,
                slope0,
                twice[:-1],
            ]
        )
        self.n_cells, self.per_unit = n_cells, n_cells / 2.0
        self.ends = float(once[0]), float(twice[0])

    def __call__(self, b: Array) -> tuple[Array, Array]:
        """Return the integrals once and twice, for any biases."""
        lookup = _Lookup(self, len(b))
        once, twice = lookup(np.clip(b, -1.0, 1.0))
        return once, twice + np.maximum(-1.0 - b, 0.0) * once


class _Lookup:
    """Evaluation of tables at n places within [-1, 1], without allocation."""

    def __init__(self, tails: _Tails, n: int) -> None:
        self.tails = tails
        self.s, self.once, self.twice = np.empty(n), np.empty(n), np.empty(n)
        self.cell, self.parts = np.empty(n, dtype=np.intp), np.empty((6, n))

    def __call__(self, places: Array) -> tuple[Array, Array]:
        """Return buffers with both integrals, valid until the next call."""
        s, once, twice, parts = self.s, self.once, self.twice, self.parts
        np.add(places, 1.0, out=s)
        np.multiply(s, self.tails.per_unit, out=s)
        np.copyto(self.cell, s, casting="unsafe")
        np.minimum(self.cell, self.tails.n_cells - 1, out=self.cell)
        np.subtract(s, self.cell, out=s)
        np.take(self.tails.table, self.cell, axis=1, out=parts, mode="clip")
        # Horner's rule for the polynomial and its derivative at once.
        np.copyto(twice, parts[0])
        np.copyto(once, parts[0])
        for k in range(1, 5):
            np.multiply(twice, s, out=twice)
            np.add(twice, parts[k], out=twice)
            np.multiply(once, s, out=once)
            np.add(once, twice, out=once)
        np.multiply(twice, s, out=twice)
        np.add(twice, parts[5], out=twice)
        np.multiply(once, -self.tails.per_unit, out=once)
        return once, twice


class _Sorted(Workspace):
    """Biases in ascending order, which steps hardly change, and every buffer of a step."""

    def __init__(self, problem: ReLUProblem, b: Array, train_biases: bool) -> None:
        n = len(b)
        self.problem, self.trained = problem, train_biases
        self.order = np.argsort(b, kind="stable")
        self.a, self.b, self.knots = np.empty(n), np.empty(n), np.empty(n + 1)
        self.knots[n] = 1.0
        self.width, self.rise, self.area, self.work = (np.empty(n) for _ in range(4))
        self.left, self.once, self.twice = np.zeros(n), np.zeros(n + 1), np.empty(n)
        self.lookup = _Lookup(problem.tails, n)
        self.outside = False
        if not train_biases:
            self._place(b)
            self.lookup(self.knots[:n])

    def _place(self, b: Array) -> None:
        """Bring biases into order, and the ends of the pieces with them."""
        n, knots = len(b), self.knots
        np.take(b, self.order, out=self.b, mode="clip")
        np.subtract(self.b[1:], self.b[:-1], out=self.work[1:])
        if n > 1 and self.work[1:].min() < 0:
            # Nearly sorted: a stable sort takes O(n).
            self.order = self.order[np.argsort(self.b, kind="stable")]
            np.take(b, self.order, out=self.b)
        np.maximum(self.b, -1.0, out=knots[:n])
        np.minimum(knots[:n], 1.0, out=knots[:n])
        np.subtract(knots[1:], knots[:-1], out=self.width)
        self.outside = bool(self.b[0] < -1.0)

    def _integrate(self, a: Array, b: Array) -> None:
        """Integrate the network from each bias to 1, once and twice."""
        if self.trained:
            self._place(b)
        n, width, rise, left, area, work = (
            len(b), self.width, self.rise, self.left, self.area, self.work,
        )  # fmt: skip
        np.take(a, self.order, out=self.a, mode="clip")
        np.cumsum(self.a, out=rise)
        np.multiply(rise, width, out=rise)
        np.cumsum(rise[:-1], out=left[1:])
        if self.outside:
            left += np.cumsum(self.a * np.maximum(-1.0 - self.b, 0.0))
        # A piece of this width begins at `left`, and rises by `rise`.
        np.multiply(rise, 0.5, out=rise)
        np.add(left, rise, out=area)
        np.multiply(area, width, out=area)
        np.cumsum(area[::-1], out=self.once[:n][::-1])
        np.multiply(rise, 2 / 3, out=rise)
        np.multiply(left, 0.5, out=work)
        np.add(work, rise, out=work)
        np.multiply(work, width, out=work)
        np.add(work, self.once[1:], out=work)
        np.multiply(work, width, out=work)
        np.cumsum(work[::-1], out=self.twice[::-1])
        if self.outside:
            left[0] = 0.0

    def _of_target(self) -> tuple[Array, Array]:
        """Return the same integrals of the target."""
        if self.trained:
            return self.lookup(self.knots[:-1])
        return self.lookup.once, self.lookup.twice

    def gradient(self, a: Array, b: Array, grad_a: Array, grad_b: Array | None) -> None:
        self._integrate(a, b)
        once_f, twice_f = self._of_target()
        once, twice = self.once[:-1], self.twice
        np.subtract(twice, twice_f, out=twice)
        if grad_b is not None or self.outside:
            np.subtract(once, once_f, out=once)
        if self.outside:
            twice += np.maximum(-1.0 - self.b, 0.0) * once
        grad_a[self.order] = twice
        if grad_b is not None:
            np.multiply(once, self.a, out=self.work)
            np.negative(self.work, out=self.work)
            grad_b[self.order] = self.work

    def curvature(self, a: Array, b: Array) -> float:
        length = 1.0 - np.minimum(b, 1.0)
        squares = float(length @ (length * length)) / 3
        if b.min() < -1.0:
            over = np.maximum(-1.0 - b, 0.0)  # of biases left of the interval
            squares -= float((over**3).sum()) / 3
            length -= over
        return squares + (float((a * a) @ length) if self.trained else 0.0)

    def measure(self, a: Array, b: Array) -> tuple[float, Array]:
        self._integrate(a, b)
        over = np.maximum(-1.0 - self.b, 0.0)
        own = float(self.a @ (self.twice + over * self.once[:-1]))
        cross = float(self.a @ self.problem.tails(self.b)[1])
        loss = (own - 2 * cross + self.problem.square) / 2
        learned = [self.a @ tails(self.b)[1] for tails in self.problem.probe_tails]
        return max(loss, 0.0), self.problem.at_zero - np.array(learned)
