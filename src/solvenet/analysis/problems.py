"""What networks of one input are trained on: gradients of ``1/2 ||h - f||**2`` on (-1, 1)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from solvenet._validation import check_count, check_nonnegative, check_positive
from solvenet.analysis.biases import values_at
from solvenet.analysis.kernels import checked_biases
from solvenet.analysis.quadrature import gauss_rule
from solvenet.analysis.units import shape_of
from solvenet.errors import InvalidDataError, InvalidSettingError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from solvenet._array_api import Array

Function = Callable[["Array"], "Array"]


class Workspace(ABC):
    """What a run keeps between steps: sorted orders, buffers, matrices of fixed biases."""

    @abstractmethod
    def gradient(self, a: Array, b: Array, grad_a: Array, grad_b: Array | None) -> None:
        """Write the gradient of the loss; `grad_b` is None where biases are fixed."""

    @abstractmethod
    def curvature(self, a: Array, b: Array) -> float:
        """Return the trace of the tangent kernel, a bound of the largest rate of decay."""

    @abstractmethod
    def measure(self, a: Array, b: Array) -> tuple[float, Array]:
        """Return the loss, and the inner products of the residual f - h with the probes."""


class Problem(ABC):
    """A function f on (-1, 1) to be learned by ``h(x) = sum_i a_i s(x - b_i)``.

    The loss is ``1/2`` of the integral of ``(h - f)**2``; gradient flow is
    ``da_i/dt = -int (h - f) s(x - b_i) dx`` and ``db_i/dt = a_i int (h - f) s'(x - b_i) dx``.

    Attributes
    ----------
    n_probes : int
        How many functions the residual is projected on while training.
    """

    n_probes: int

    @abstractmethod
    def workspace(self, b: Array, *, train_biases: bool) -> Workspace:
        """Return what a run from these biases needs.

        Parameters
        ----------
        b : array of shape (n,)
            Biases at the start.
        train_biases : bool
            Whether they will move.

        Returns
        -------
        Workspace
            Gradients, curvature and measurements, with buffers of its own.
        """

    @abstractmethod
    def values(self, x: Array, a: Array, b: Array) -> Array:
        """Return the network at points.

        Parameters
        ----------
        x : array of shape (m,)
            Points.
        a, b : array of shape (n,)
            Weights and biases.

        Returns
        -------
        array of shape (m,)
            Values of the network h.
        """

    def gradient(self, a: Array, b: Array) -> tuple[Array, Array]:
        """Return the gradient of the loss.

        Parameters
        ----------
        a, b : array of shape (n,)
            Weights and biases.

        Returns
        -------
        grad_a : array of shape (n,)
            For weights.
        grad_b : array of shape (n,)
            For biases.

        Raises
        ------
        InvalidDataError
            Arrays that are not finite, not one-dimensional, or of different lengths.
        """
        a, b = checked_parameters(a, b)
        grad_a, grad_b = np.empty_like(a), np.empty_like(b)
        self.workspace(b, train_biases=True).gradient(a, b, grad_a, grad_b)
        return grad_a, grad_b

    def loss(self, a: Array, b: Array) -> float:
        """Return the loss.

        Parameters
        ----------
        a, b : array of shape (n,)
            Weights and biases.

        Returns
        -------
        float
            ``1/2 ||h - f||**2``.

        Raises
        ------
        InvalidDataError
            Arrays that are not finite, not one-dimensional, or of different lengths.
        """
        a, b = checked_parameters(a, b)
        return self.workspace(b, train_biases=True).measure(a, b)[0]


class QuadratureProblem(Problem):
    """Learning a function with units of any activation, on a grid of Gauss points.

    Parameters
    ----------
    target : callable
        f, vectorised over points of (-1, 1).
    activation : str, default="tanh"
        A name as for :func:`unit_spectrum`, but for heaviside, which has no slope to train by.
    scale : float, default=1.0
        Units are ``s(scale (x - b))``: their steepness.
    n_points : int, default=1024
        Points of the grid, in cells of four Gauss points. Several for each bias and each
        half-wave of f.
    probes : iterable of callables, optional
        Functions that the residual is projected on; by default f itself.

    Raises
    ------
    InvalidDataError
        A function that is not finite or returns another shape.
    InvalidSettingError
        An unknown activation, a scale that is not positive, fewer than four points.

    Notes
    -----
    A step costs ``4 m n`` operations and as many evaluations of the activation with trained
    biases, ``2 n**2`` with fixed ones, whose Gram matrix is formed once. For ReLU units
    :class:`ReLUProblem` needs O(n), and has no error of quadrature.
    """

    def __init__(
        self,
        target: Function,
        *,
        activation: str = "tanh",
        scale: float = 1.0,
        n_points: int = 1024,
        probes: Iterable[Function] | None = None,
    ) -> None:
        self.shape, self.scale = shape_of(activation), check_positive("scale", scale)
        if self.shape.slope is None:
            msg = (
                f"activation={self.shape.name!r} has no derivative to train by. Use a name of "
                "unit_spectrum other than heaviside."
            )
            raise InvalidSettingError(msg)
        cells = -(-check_count("n_points", n_points, minimum=4) // 4)
        self.points, self.weights = gauss_rule(np.linspace(-1.0, 1.0, cells + 1), 4)
        self.target = values_at(target, self.points, name="target")
        functions = probe_list(target, probes)
        rows = [values_at(probe, self.points, name="a probe") for probe in functions]
        self.probes = np.array(rows).reshape(len(rows), len(self.points))
        self.n_probes = len(rows)

    def workspace(self, b: Array, *, train_biases: bool) -> Workspace:
        """Return what a run from these biases needs; see :class:`Problem`."""
        return _Moving(self) if train_biases else _Fixed(self, b)

    def features(self, x: Array, b: Array, *, derivative: bool = False) -> Array:
        """Return the units at points, or their derivatives there.

        Parameters
        ----------
        x : array of shape (m,)
            Points.
        b : array of shape (n,)
            Biases.
        derivative : bool, default=False
            Of the units with respect to x instead.

        Returns
        -------
        array of shape (m, n)
            ``s(scale (x - b))``.
        """
        z = self.scale * (np.asarray(x)[:, None] - b)
        if not derivative:
            return self.shape.function(z)
        assert self.shape.slope is not None
        return self.scale * self.shape.slope(z)

    def values(self, x: Array, a: Array, b: Array) -> Array:
        """Return the network at points; see :class:`Problem`."""
        a, b = checked_parameters(a, b)
        return self.features(x, b) @ a


class _Moving(Workspace):
    """Trained biases: the units are evaluated anew in each step."""

    def __init__(self, problem: QuadratureProblem) -> None:
        self.problem = problem

    def gradient(self, a: Array, b: Array, grad_a: Array, grad_b: Array | None) -> None:
        problem = self.problem
        units = problem.features(problem.points, b)
        residual = (units @ a - problem.target) * problem.weights
        grad_a[:] = residual @ units
        if grad_b is not None:
            slopes = problem.features(problem.points, b, derivative=True)
            grad_b[:] = -a * (residual @ slopes)

    def curvature(self, a: Array, b: Array) -> float:
        problem = self.problem
        units = problem.features(problem.points, b)
        slopes = problem.features(problem.points, b, derivative=True)
        squares = (units**2).sum(1) + slopes**2 @ a**2
        return float(problem.weights @ squares)

    def measure(self, a: Array, b: Array) -> tuple[float, Array]:
        problem = self.problem
        residual = problem.target - problem.features(problem.points, b) @ a
        weighted = problem.weights * residual
        return float(weighted @ residual) / 2, problem.probes @ weighted


class _Fixed(Workspace):
    """Fixed biases: the loss is a quadratic of the weights."""

    def __init__(self, problem: QuadratureProblem, b: Array) -> None:
        units = problem.features(problem.points, b)
        weighted = units * problem.weights[:, None]
        self.gram, self.load = weighted.T @ units, problem.target @ weighted
        self.probed = problem.probes @ weighted
        weighted_target = problem.weights * problem.target
        self.at_zero = problem.probes @ weighted_target
        self.square = float(weighted_target @ problem.target)

    def gradient(self, a: Array, b: Array, grad_a: Array, grad_b: Array | None) -> None:
        np.matmul(self.gram, a, out=grad_a)
        np.subtract(grad_a, self.load, out=grad_a)

    def curvature(self, a: Array, b: Array) -> float:
        return float(np.trace(self.gram))

    def measure(self, a: Array, b: Array) -> tuple[float, Array]:
        loss = (a @ (self.gram @ a - 2 * self.load) + self.square) / 2
        return max(float(loss), 0.0), self.at_zero - self.probed @ a


def cosine_probes(frequencies: ArrayLike) -> list[Function]:
    """Return the functions ``cos(m pi x)``, of norm 1 on (-1, 1) for whole m >= 1.

    Parameters
    ----------
    frequencies : float or array-like of float
        The numbers m of full waves on (-1, 1).

    Returns
    -------
    list of callables
        One a frequency.

    Examples
    --------
    >>> from solvenet.analysis import cosine_probes
    >>> [round(float(probe(1.0)), 3) for probe in cosine_probes([1, 2])]
    [-1.0, 1.0]
    """

    def cosine(m: float) -> Function:
        return lambda x: np.cos(m * np.pi * x)

    return [
        cosine(check_nonnegative("a frequency", m)) for m in np.atleast_1d(frequencies).tolist()
    ]


def balanced_weights(n: int, amplitude: float) -> Array:
    """Return weights of equal size whose network nearly vanishes, to start training from.

    Parameters
    ----------
    n : int
        Number of units, with ascending biases.
    amplitude : float
        Absolute value of the weights, A.

    Returns
    -------
    array of shape (n,)
        ``A (1, -1, -1, 1, 1, -1, -1, 1, ...)``: slope and value return to zero after every
        four equidistant ReLUs, whereas random or alternating signs give a network of the size
        of A or more, which training has to unlearn first.

    Raises
    ------
    InvalidSettingError
        Fewer than one unit, a negative amplitude.

    Examples
    --------
    >>> from solvenet.analysis import balanced_weights
    >>> balanced_weights(6, 2.0)
    array([ 2., -2., -2.,  2.,  2., -2.])
    """
    n, amplitude = check_count("n", n), check_nonnegative("amplitude", amplitude)
    return amplitude * np.resize([1.0, -1.0, -1.0, 1.0], n)


def probe_list(target: Function, probes: Iterable[Function] | None) -> list[Function]:
    """Return the functions that residuals are projected on: the target itself by default."""
    if callable(probes):
        msg = "probes is a single function; a list of them is wanted: probes=[function]."
        raise InvalidDataError(msg)
    return [target] if probes is None else list(probes)


def checked_parameters(a: Array, b: Array) -> tuple[Array, Array]:
    """Return copies of weights and biases, checked to be finite and of one length."""
    a, b = checked_biases("a", a).copy(), checked_biases("b", b).copy()
    if len(a) != len(b):
        msg = f"{len(a)} weights were given for {len(b)} biases; one a bias is wanted."
        raise InvalidDataError(msg)
    return a, b
