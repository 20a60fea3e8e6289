"""Modes of networks of one input, and what a function has of each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from solvenet._validation import check_count, check_finite, check_positive
from solvenet.analysis.beam import beam_modes, relu_spectrum
from solvenet.analysis.biases import values_at
from solvenet.analysis.legendre import cell_interpolant
from solvenet.analysis.quadrature import gauss_rule
from solvenet.analysis.spectra import Spectrum
from solvenet.analysis.units import make_units
from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.linalg.rank import EPS

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.features import Activation

_POINTS = 16
"""Gauss points of a cell in which a mode turns by at most half a wave."""

_FEWEST_CELLS = 200
_BLOCK = 2**22
_FIRST_TRY = 64


@dataclass(frozen=True, kw_only=True, eq=False)
class Modes:
    """Orthonormal functions on (-1, 1), ordered by how strongly a network represents them.

    They are the left singular functions of the map from the output weights of a network to
    its function; that of the eigenvalue ``lambda_k`` is fitted by output weights of size
    ``lambda_k**-0.5``.

    Attributes
    ----------
    spectrum : Spectrum
        Eigenvalues of the Gram matrix or kernel; those of the modes come first.
    n_modes : int
        Number of modes.
    nodes, weights : array of shape (n_nodes,)
        Quadrature by which functions are projected.
    evaluate : callable
        Maps points of [-1, 1], shape (m,), to the values of all modes, shape (m, n_modes).
    """

    spectrum: Spectrum
    n_modes: int
    nodes: Array = field(repr=False)
    weights: Array = field(repr=False)
    evaluate: Callable[[Array], Array] = field(repr=False)

    def __call__(self, x: Array) -> Array:
        """Return the values of the modes at `x` in [-1, 1], shape (len(x), n_modes)."""
        return self.evaluate(_inside(x))


@dataclass(frozen=True, kw_only=True, eq=False)
class Projection:
    """A function as a sum of modes.

    Attributes
    ----------
    modes : Modes
        The modes.
    offset : float
        What was taken off the function first: the constant of the network.
    coefficients : array of shape (n_modes,)
        Inner products of the rest with the modes.
    errors : array of shape (n_modes + 1,)
        L2(-1, 1) norms of what is left after the first k modes, k = 0, 1, ...: descending,
        without the cancellation of ``norm**2 - sum(coefficients**2)``.
    """

    modes: Modes = field(repr=False)
    offset: float
    coefficients: Array = field(repr=False)
    errors: Array = field(repr=False)

    @property
    def n_modes(self) -> int:
        """Number of modes."""
        return len(self.coefficients)

    @property
    def relative_errors(self) -> Array:
        """The errors over the norm of the function less `offset`; zeros if that is zero."""
        norm = self.errors[0]
        relative: Array = self.errors / norm if norm > 0 else np.zeros_like(self.errors)
        return relative

    @property
    def mean_squared_errors(self) -> Array:
        """The squared errors over the length of the interval, 2."""
        squared: Array = self.errors**2 / 2
        return squared

    def needed(self, tol: float) -> int | None:
        """Return the smallest number of modes with a relative error of at most `tol`.

        None where even all of these modes do not suffice.
        """
        reached = np.flatnonzero(self.relative_errors <= check_tolerance(tol))
        return int(reached[0]) if len(reached) else None

    def first(self, n_modes: int) -> Projection:
        """Return the projection on the first `n_modes` modes: the function low-pass filtered."""
        n = check_count("n_modes", n_modes, minimum=0)
        if n > self.n_modes:
            msg = f"n_modes={n} was given; there are {self.n_modes} modes. Compute more of them."
            raise InvalidSettingError(msg)
        return Projection(
            modes=self.modes,
            offset=self.offset,
            coefficients=self.coefficients[:n],
            errors=self.errors[: n + 1],
        )

    def __call__(self, x: Array) -> Array:
        """Return ``offset + sum_k coefficients_k mode_k(x)``, shape (len(x),)."""
        values: Array = self.modes(x)[:, : self.n_modes] @ self.coefficients + self.offset
        return values


def relu_modes(n_modes: int) -> Modes:
    """Return the exact modes of the kernel of ReLU networks on (-1, 1).

    Parameters
    ----------
    n_modes : int
        How many, at least 2.

    Returns
    -------
    Modes
        Those of a cantilever beam, clamped at -1 and free at 1: mode k oscillates like
        ``cos((k - 1/2) pi x / 2)``, so that ``cos(m pi x)`` takes about ``2 m + 2`` modes. The
        eigenfunctions of the Gram kernel ``G(b, c)`` are their mirror images.

    Raises
    ------
    InvalidSettingError
        `n_modes` is below 2.

    Notes
    -----
    Evaluated as a sum of decaying exponentials: no overflow at any k; errors are about
    ``2 k`` roundings. Memory ``8 n_modes`` bytes a point.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.analysis import relu_modes
    >>> relu_modes(3)(np.array([0.0, 1.0])).round(4)
    array([[ 0.4802, -1.0093,  0.0278],
           [ 1.4142,  1.4142,  1.4142]])
    """
    spectrum = relu_spectrum(n_modes)
    n = len(spectrum.eigenvalues)
    nodes, weights = gauss_rule(np.linspace(-1, 1, max(n, _FEWEST_CELLS) + 1), _POINTS)
    return Modes(
        spectrum=spectrum,
        n_modes=n,
        nodes=nodes,
        weights=weights,
        evaluate=lambda x: beam_modes(x, n),
    )


def unit_modes(
    biases: Array,
    *,
    activation: str | Activation | Callable[[Array], Array] = "relu",
    weights: Array | None = None,
    scale: float = 1.0,
    n_modes: int | None = None,
) -> Modes:
    """Return the modes of given units of one input on (-1, 1).

    Parameters
    ----------
    biases : array of shape (n,)
        Where the units stand, at least 2.
    activation : str, Activation or callable, default="relu"
        Their function, as for :func:`unit_spectrum`.
    weights : array of shape (n,), optional
        Weights of the first layer; ones by default.
    scale : float, default=1.0
        Factor of all weights.
    n_modes : int, optional
        How many; by default all whose singular value stands above rounding, at most 1000.

    Returns
    -------
    Modes
        Left singular vectors of the quadrature-weighted design matrix as functions, each
        positive at its last node. For ReLU units with uniform biases they tend to those
        of :func:`relu_modes`.

    Raises
    ------
    InvalidDataError
        Units that cannot be used, as for :func:`unit_spectrum`.
    InvalidSettingError
        More modes are asked for than stand above rounding.

    Notes
    -----
    Mode k is accurate to ``1e-16 (lambda_1 / lambda_k)**(1/2)`` (over the gap to its
    neighbours). Between the nodes it is evaluated cell by cell as a polynomial, not as a sum
    of units, whose large coefficients would cancel. Cost ``O(n**3)``.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.analysis import adaptive_biases, project, uniform_biases, unit_modes
    >>> f = lambda x: np.arctan(25 * x)
    >>> biases = uniform_biases(100), adaptive_biases(100, f)
    >>> [project(f, unit_modes(b)).needed(0.01) for b in biases]
    [25, 9]
    """
    units = make_units(biases, activation, weights, scale)
    design = units.design()
    U, s, _ = np.linalg.svd(design, full_matrices=False)
    level = max(design.shape) * EPS
    known = int(np.count_nonzero(s > level * s[0]))
    n = min(known, 1000) if n_modes is None else check_count("n_modes", n_modes)
    if n > known:
        msg = (
            f"n_modes={n} was given; {known} modes of these {len(s)} units stand above rounding. "
            "Ask for no more, or use steeper or more different units."
        )
        raise InvalidSettingError(msg)
    _, node_weights = gauss_rule(units.edges, units.n_points)
    values = U[:, :n] / np.sqrt(node_weights)[:, None]
    values *= np.where(values[-1] < 0, -1.0, 1.0)
    grid = np.linspace(-1, 1, max(n, _FEWEST_CELLS) + 1)
    fine, fine_weights = gauss_rule(np.union1d(grid, units.edges), max(8, units.n_points))
    return Modes(
        spectrum=Spectrum(
            eigenvalues=np.where(s > level * s[0], s, 0.0) ** 2,
            resolution=level**2,
            method="singular values of the quadrature-weighted design matrix",
        ),
        n_modes=n,
        nodes=fine,
        weights=fine_weights,
        evaluate=cell_interpolant(units.edges, values),
    )


def project(
    f: Callable[[Array], Array], modes: Modes, *, offset: float | Literal["left"] = "left"
) -> Projection:
    """Project a function on modes.

    Parameters
    ----------
    f : callable
        Vectorised function on [-1, 1].
    modes : Modes
        By :func:`relu_modes` or :func:`unit_modes`.
    offset : float or "left", default="left"
        Constant that is taken off first; ``"left"`` is f(-1), where networks of ReLU units
        ``max(x - b, 0)`` with biases from -1 on vanish.

    Returns
    -------
    Projection
        Coefficients, and the error after each number of modes.

    Raises
    ------
    InvalidDataError
        f is not finite somewhere, or does not return one number a point.

    Notes
    -----
    By the Gauss rule of the modes, at least 200 cells of 8 or more points: f should be smooth
    on that scale. Two passes over its nodes, ``4 n_nodes n_modes`` flops and the
    evaluation of the modes, 100 MB at a time.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.analysis import project, relu_modes
    >>> wave = project(lambda x: np.cos(6 * np.pi * x) - np.sin(2 * np.pi * x), relu_modes(64))
    >>> wave.needed(0.1), wave.needed(0.01)
    (14, 27)
    """
    values = values_at(f, modes.nodes, name="f")
    constant = values_at(f, np.array([-1.0]), name="f")[0] if offset == "left" else offset
    if not isinstance(constant, int | float | np.integer | np.floating) or not math.isfinite(
        constant
    ):
        msg = f'offset={offset!r} was given; a finite number or "left" is wanted.'
        raise InvalidSettingError(msg)
    rest = values - float(constant)
    size = float(np.abs(rest).max()) or 1.0
    rest /= size  # squares of what is very large or small would leave the range of float64
    step = max(_BLOCK // modes.n_modes, 1)
    blocks = [slice(i, i + step) for i in range(0, len(rest), step)]
    coefficients = np.zeros(modes.n_modes)
    for rows in blocks:
        coefficients += (modes.weights[rows] * rest[rows]) @ modes.evaluate(modes.nodes[rows])
    left = 0.0
    for rows in blocks:
        remainder = rest[rows] - modes.evaluate(modes.nodes[rows]) @ coefficients
        left += float(modes.weights[rows] @ remainder**2)
    # From the last mode back: each error adds one square to the next.
    squares = np.concatenate([[left], coefficients[::-1] ** 2])
    return Projection(
        modes=modes,
        offset=float(constant),
        coefficients=size * coefficients,
        errors=size * np.sqrt(np.cumsum(squares))[::-1],
    )


def modes_needed(
    f: Callable[[Array], Array],
    tol: float,
    *,
    modes: Modes | None = None,
    offset: float | Literal["left"] = "left",
    limit: int = 1024,
) -> int | None:
    """Return how many modes a function takes to a relative L2 error.

    Parameters
    ----------
    f : callable
        Vectorised function on [-1, 1].
    tol : float
        Error over the norm of ``f - offset`` in L2(-1, 1), above 0 and below 1.
    modes : Modes, optional
        By default the exact modes of ReLU networks, as many as it takes.
    offset : float or "left", default="left"
        Constant that is taken off first; ``"left"`` is f(-1).
    limit : int, default=1024
        Largest number of them that is tried; `modes` have their own number.

    Returns
    -------
    int or None
        The smallest number of modes; None where `limit` or all of `modes` do not suffice,
        as for small tolerances and functions with jumps, whose error falls like ``k**-0.5``.

    Raises
    ------
    InvalidSettingError, InvalidDataError
        As :func:`project`, and for a tolerance outside of (0, 1).

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.analysis import modes_needed
    >>> [modes_needed(lambda x, m=m: np.cos(m * np.pi * x), 0.05) for m in (4, 8, 16)]
    [12, 20, 38]
    """
    check_tolerance(tol)
    limit = check_count("limit", limit, minimum=2)
    if modes is not None:
        return project(f, modes, offset=offset).needed(tol)
    n = min(_FIRST_TRY, limit)
    while (needed := project(f, relu_modes(n), offset=offset).needed(tol)) is None and n < limit:
        n = min(2 * n, limit)
    return needed


def check_tolerance(tol: float) -> float:
    """Return `tol` if it is a number above 0 and below 1."""
    return check_positive("tol", tol, below=1, hint=", a relative error such as 0.01")


def _inside(x: Array) -> Array:
    points = np.asarray(x, dtype=np.float64)
    if points.ndim != 1:
        msg = f"Points of shape {points.shape} were given; a one-dimensional array is wanted."
        raise InvalidDataError(msg)
    check_finite("x", points)
    if (np.abs(points) > 1).any():
        msg = (
            f"Points from {points.min():.6g} to {points.max():.6g} were given; modes live on "
            "[-1, 1]. Scale the inputs to it."
        )
        raise InvalidDataError(msg)
    return points
