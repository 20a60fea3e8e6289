"""Gaussian random functions on periodic boxes: the inputs of operator learning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from solvenet._random import stream
from solvenet._validation import check_count, check_positive
from solvenet.errors import InvalidSettingError

if TYPE_CHECKING:
    from solvenet._array_api import Array


def gaussian_field(
    n_fields: int,
    shape: int | Sequence[int],
    *,
    amplitude: float = 25.0,
    shift: float = 25.0,
    power: float = 2.0,
    length: float = 1.0,
    zero_mean: bool = False,
    random_state: int = 0,
) -> Array:
    """Draw periodic random functions from ``N(0, amplitude^2 (-Laplacian + shift I)^-power)``.

    The defaults are the initial values of the Burgers equation in the papers on operator
    learning, N(0, 625 (-Laplacian + 25 I)^-2) on the unit interval.

    Parameters
    ----------
    n_fields : int
        Number of functions.
    shape : int or sequence of int
        Points an axis, on a uniform grid without the last point of the period.
    amplitude, shift, power : float
        Of the covariance operator. Functions have fewer than ``power - d/2`` derivatives.
    length : float, default=1.0
        Period of each axis.
    zero_mean : bool, default=False
        Leave out the constant mode.
    random_state : int, default=0
        Seed. A function is drawn mode by mode from low to high frequencies in one variable:
        finer grids show the same functions with more modes.

    Returns
    -------
    array of shape (n_fields, shape...), float64
        Values at the grid points.

    Raises
    ------
    InvalidSettingError
        A number out of range, a smoothness that leaves no function (power <= d/2).

    Notes
    -----
    The constant has variance ``amplitude^2 / shift^power``. Modes up to half the points are drawn
    and no others, so a grid holds its functions exactly. *Cost:* one FFT a function.

    References
    ----------
    Z. Li et al. (2021), Fourier neural operator for parametric partial differential equations,
    arXiv:2010.08895, section 5.1.

    Examples
    --------
    >>> from solvenet.operators import gaussian_field
    >>> coarse, fine = gaussian_field(3, 64), gaussian_field(3, 128)
    >>> bool(abs(coarse - fine[:, ::2]).max() < 0.01)
    True
    """
    sizes = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
    sizes = tuple(check_count("shape", size, minimum=4) for size in sizes)
    n_fields = check_count("n_fields", n_fields)
    for name, value in (("amplitude", amplitude), ("shift", shift), ("length", length)):
        check_positive(name, value)
    if not power > len(sizes) / 2:
        msg = f"power={power!r} was given; more than {len(sizes) / 2:g} is wanted for a function."
        raise InvalidSettingError(msg)
    squares = [np.fft.fftfreq(n, 1 / n) ** 2 for n in sizes[:-1]]
    squares.append(np.fft.rfftfreq(sizes[-1], 1 / sizes[-1]) ** 2)
    total = sum(np.ix_(*squares)) * (2 * np.pi / length) ** 2
    deviation = amplitude * (total + shift) ** (-power / 2)
    # The highest mode of an even grid is known up to its sine only: it is left out.
    for axis, size in enumerate(sizes):
        if size % 2 == 0:
            deviation[(slice(None),) * axis + (size // 2,)] = 0.0
    if zero_mean:
        deviation[(0,) * len(sizes)] = 0.0
    return _draw(n_fields, sizes, deviation, random_state)


def _draw(n_fields: int, sizes: tuple[int, ...], deviation: Array, seed: int) -> Array:
    rng = stream(seed, "gaussian field")
    if len(sizes) == 1:
        # Frequency by frequency, so that a finer grid goes on where a coarser one ends.
        parts = rng.standard_normal((len(deviation), 2, n_fields))
        modes = (parts[:, 0] + 1j * parts[:, 1]).T / np.sqrt(2)
        modes[:, 0] = parts[0, 0]
    else:
        white = rng.standard_normal((n_fields, *sizes))
        modes = np.fft.rfftn(white, axes=range(1, 1 + len(sizes)), norm="ortho")
    axes = tuple(range(1, 1 + len(sizes)))
    return np.fft.irfftn(modes * deviation, s=sizes, axes=axes, norm="forward")
