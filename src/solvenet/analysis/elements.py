"""Linear finite elements: what a network is compared with, at equal degrees of freedom.

Hat functions are B-splines of degree 1, which SciPy evaluates as sparse matrices; on a tensor
grid everything is a Kronecker product. A finite-element package would add a dependency for
meshes that are not needed here (scikit-fem 12 gives the same projections, to 3e-15).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.linalg
import scipy.sparse
from scipy.interpolate import BSpline

from solvenet._validation import check_finite
from solvenet.analysis.quadrature import checked_knots, gauss_rule
from solvenet.errors import IllConditionedWarning, InvalidDataError

if TYPE_CHECKING:
    from solvenet._array_api import Array

_TOLERANCE = 1e-14
_SWEEPS = 20  # iterations a coefficient before a fit counts as not converged


@dataclass(frozen=True, eq=False)
class Elements:
    """Piecewise linear functions of one variable, or bilinear ones on a tensor grid.

    Parameters
    ----------
    knots : array of shape (n,), or tuple of one or two such arrays
        Nodes of each axis, strictly increasing; graded as one likes, for example
        ``adaptive_biases(100, f)``. A coefficient is the value at a node.

    Raises
    ------
    InvalidDataError
        Knots that are too few, repeated, not increasing or not finite; more than two axes.

    Notes
    -----
    The basis is local: `mass` has 3 entries a row (9 on a tensor grid) and a condition number
    that the number of nodes does not change on a uniform grid (below 6 an axis), where that of a
    ReLU network on the same nodes grows like the fourth power.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.analysis import Elements
    >>> elements = Elements(np.linspace(-1, 1, 100))
    >>> fit = elements.project(lambda x: np.arctan(25 * x))
    >>> x = np.linspace(-1, 1, 10000)
    >>> fit.n_dof, f"{np.abs(fit(x) - np.arctan(25 * x)).max():.2e}"
    (100, '1.37e-02')
    """

    knots: tuple[Array, ...]

    def __post_init__(self) -> None:
        """Check the knots; a single array stands for one axis."""
        given = self.knots if isinstance(self.knots, tuple) else (self.knots,)
        if len(given) not in (1, 2):
            msg = (
                f"Knots of {len(given)} axes were given; one array, or a tuple of two for a "
                "tensor grid, is wanted."
            )
            raise InvalidDataError(msg)
        axes = tuple(checked_knots(f"knots of axis {i}", axis) for i, axis in enumerate(given))
        object.__setattr__(self, "knots", axes)

    @property
    def n_dof(self) -> int:
        """Number of coefficients: one a node."""
        return math.prod(len(axis) for axis in self.knots)

    @cached_property
    def mass(self) -> Any:
        """Inner products of the basis, a sparse CSR array of shape (n_dof, n_dof)."""
        parts = map(_axis_mass, self.knots)
        return reduce(lambda A, B: scipy.sparse.kron(A, B, format="csr"), parts)

    @property
    def condition(self) -> float:
        """Condition number of `mass`, exact, in O(n) operations."""
        out = 1.0
        for axis in self.knots:
            diagonal, beside = _tridiagonal(axis)
            ends = (0, len(axis) - 1)
            low, high = (
                scipy.linalg.eigvalsh_tridiagonal(
                    diagonal, beside, select="i", select_range=(i, i)
                )[0]
                for i in ends
            )
            out *= float(high / low)
        return out

    def design(self, X: Array) -> Any:
        """Return the values of the basis at points.

        Parameters
        ----------
        X : array of shape (m,) or (m, n_axes)
            Points within the grid.

        Returns
        -------
        sparse CSR array of shape (m, n_dof)
            At most ``2**n_axes`` entries a row, which sum to 1.

        Raises
        ------
        InvalidDataError
            Points of another dimension, outside of the grid, or not finite.
        """
        points = self._points(X)
        parts = [_axis_design(axis, x) for axis, x in zip(self.knots, points.T, strict=True)]
        if len(parts) == 1:
            return parts[0]
        # Row by row a Kronecker product: each row has two entries an axis, stored in order.
        (A, B), m = parts, len(points)
        data = A.data.reshape(m, 2, 1) * B.data.reshape(m, 1, 2)
        columns = A.indices.reshape(m, 2, 1) * A.dtype.type(B.shape[1]) + B.indices.reshape(m, 1, 2)
        indptr = np.arange(m + 1) * 4
        shape = (m, self.n_dof)
        return scipy.sparse.csr_array((data.ravel(), columns.ravel().astype(int), indptr), shape)

    def load(self, f: Callable[[Array], Array], *, order: int = 8) -> Array:
        """Return the inner products of a function with the basis.

        Parameters
        ----------
        f : callable
            Takes points of shape (m,), on a tensor grid of shape (m, 2), and returns (m,).
        order : int, default=8
            Gauss points a cell and axis.

        Returns
        -------
        array of shape (n_dof,), float64
            Integrals of f times each hat.

        Raises
        ------
        InvalidDataError
            The function returns another shape, or values that are not finite.
        """
        rules = [gauss_rule(axis, order) for axis in self.knots]
        grid = np.meshgrid(*(points for points, _ in rules), indexing="ij")
        points = np.stack([axis.ravel() for axis in grid], axis=1)
        values = np.asarray(f(points[:, 0] if len(rules) == 1 else points))
        if values.shape != (len(points),) or not np.isrealobj(values):
            msg = (
                f"f returned {values.dtype} of shape {values.shape} for {len(points)} points; "
                "one real number a point is wanted."
            )
            raise InvalidDataError(msg)
        check_finite("f(x)", values)
        tensor = values.reshape([len(points) for points, _ in rules]).astype(np.float64)
        for axis, (points, weights) in zip(self.knots, rules, strict=True):
            weighted = _axis_design(axis, points).T.multiply(weights).tocsr()
            tensor = _along(weighted, tensor)
        return tensor.ravel()

    def project(self, f: Callable[[Array], Array], *, order: int = 8) -> ElementFunction:
        """Return the best approximation of a function in L2.

        Parameters
        ----------
        f : callable
            Takes points of shape (m,), on a tensor grid of shape (m, 2), and returns (m,).
        order : int, default=8
            Gauss points a cell and axis.

        Returns
        -------
        ElementFunction
            Its condition is that of the mass matrix. O(n_dof) operations: two triangular
            solves an axis.

        Raises
        ------
        InvalidDataError
            The function returns another shape, or values that are not finite.
        """
        tensor = self.load(f, order=order).reshape([len(axis) for axis in self.knots])
        for axis in self.knots:
            diagonal, beside = _tridiagonal(axis)
            bands = np.stack([np.append(0.0, beside), diagonal])
            flat = tensor.reshape(len(axis), -1)
            solved = scipy.linalg.solveh_banded(bands, flat).reshape(tensor.shape)
            tensor = np.moveaxis(solved, 0, -1)
        return ElementFunction(self, tensor.ravel(), self.condition)

    def fit(self, X: Array, y: Array) -> ElementFunction:
        """Return the least-squares fit to scattered data.

        Parameters
        ----------
        X : array of shape (m,) or (m, n_axes)
            Points within the grid.
        y : array of shape (m,)
            Values there.

        Returns
        -------
        ElementFunction
            Of all minimisers of ``sum (h(X_j) - y_j)**2`` the one with the smallest
            coefficients: nodes without data nearby become zero, which is what a local basis
            knows there. Its condition is that of the design matrix, infinite in that case.

        Raises
        ------
        InvalidDataError
            Points outside of the grid, shapes that do not fit, or NaN.

        Warns
        -----
        IllConditionedWarning
            LSMR did not converge, because nodes are hardly covered by data.
        """
        A = self.design(X)
        y = np.asarray(y, dtype=np.float64)
        if y.shape != (A.shape[0],) or len(y) == 0:
            msg = (
                f"y has shape {y.shape} for {A.shape[0]} points; one number a point, and at "
                "least one point, is wanted."
            )
            raise InvalidDataError(msg)
        check_finite("y", y)
        solved = scipy.sparse.linalg.lsmr(
            A, y, atol=_TOLERANCE, btol=_TOLERANCE, conlim=0.0, maxiter=_SWEEPS * min(A.shape)
        )
        if solved[1] == 7:  # the limit of iterations
            msg = (
                f"The fit of {self.n_dof} elements did not converge in {solved[2]} iterations: "
                "some nodes are hardly covered by data. Use fewer nodes there."
            )
            warnings.warn(msg, IllConditionedWarning, stacklevel=2)
        return ElementFunction(self, solved[0], _design_condition(A))

    def _points(self, X: Array) -> Array:
        points = np.asarray(X, dtype=np.float64)
        points = points[:, None] if points.ndim == 1 and len(self.knots) == 1 else points
        if points.ndim != 2 or points.shape[1] != len(self.knots):
            msg = (
                f"X has shape {np.shape(X)}; points of shape (m, {len(self.knots)}) are wanted, "
                f"for knots of {len(self.knots)} axes."
            )
            raise InvalidDataError(msg)
        check_finite("X", points)
        for i, (axis, x) in enumerate(zip(self.knots, points.T, strict=True)):
            outside = (x < axis[0]) | (x > axis[-1])
            if outside.any():
                msg = (
                    f"{int(outside.sum())} points lie outside of the grid, the first at "
                    f"{x[outside][0]:g}; axis {i} reaches from {axis[0]:g} to {axis[-1]:g}. "
                    "Extend the knots."
                )
                raise InvalidDataError(msg)
        return points


@dataclass(frozen=True, eq=False)
class ElementFunction:
    """A piecewise linear or bilinear function: call it with points.

    Attributes
    ----------
    elements : Elements
        Its grid and basis.
    coefficients : array of shape (n_dof,)
        Values at the nodes; on a tensor grid the second axis runs fastest.
    condition : float
        Condition number of the matrix that was solved with.
    """

    elements: Elements
    coefficients: Array
    condition: float

    @property
    def n_dof(self) -> int:
        """Number of coefficients."""
        return self.elements.n_dof

    def __call__(self, X: Array) -> Array:
        """Return the values at points of shape (m,) or (m, n_axes), as an array of shape (m,)."""
        return self.elements.design(X) @ self.coefficients  # type: ignore[no-any-return]


def _tridiagonal(knots: Array) -> tuple[Array, Array]:
    """Return the diagonal and the off-diagonal of the mass matrix of one axis."""
    h = np.diff(knots)
    return (np.append(h, 0.0) + np.append(0.0, h)) / 3, h / 6


def _axis_mass(knots: Array) -> Any:
    diagonal, beside = _tridiagonal(knots)
    return scipy.sparse.diags_array([beside, diagonal, beside], offsets=[-1, 0, 1], format="csr")


def _axis_design(knots: Array, x: Array) -> Any:
    """Return the hats at points, exactly two entries a row."""
    if len(x) == 0:
        return scipy.sparse.csr_array((0, len(knots)))
    padded = np.concatenate([knots[:1], knots, knots[-1:]])
    return scipy.sparse.csr_array(BSpline.design_matrix(x, padded, 1))


def _along(weighted: Any, tensor: Array) -> Array:
    """Apply a matrix to the first axis, and make that the last."""
    flat = weighted @ tensor.reshape(len(tensor), -1)
    return np.moveaxis(flat.reshape(-1, *tensor.shape[1:]), 0, -1)


def _design_condition(A: Any) -> float:
    """Return the condition number of a design matrix from its sparse Gram matrix."""
    gram = (A.T @ A).tocsc()
    if gram.diagonal().min() <= 0:
        return math.inf
    if gram.shape[0] < 3:
        values = np.linalg.eigvalsh(gram.toarray())
    else:
        start = np.ones(gram.shape[0])
        largest = scipy.sparse.linalg.eigsh(gram, 1, v0=start, return_eigenvectors=False)
        # Just below zero, so that a singular matrix is no accident.
        below = -float(np.finfo(np.float64).eps) * float(largest[0])
        smallest = scipy.sparse.linalg.eigsh(
            gram, 1, sigma=below, v0=start, return_eigenvectors=False
        )
        values = np.append(smallest, largest)
    singular = values[0] <= gram.shape[0] * np.finfo(np.float64).eps * values[-1]
    return math.inf if singular else math.sqrt(values[-1] / values[0])
