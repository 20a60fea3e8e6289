"""What a machine precision lets a network represent: modes, frequencies, errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from solvenet._validation import check_choice, check_count, check_nonnegative
from solvenet.analysis.ball import ball_spectrum, ball_volume, weyl_count
from solvenet.analysis.beam import beam_roots
from solvenet.analysis.modes import Modes, Projection, project, relu_modes
from solvenet.analysis.spectra import check_threshold
from solvenet.errors import InvalidSettingError

if TYPE_CHECKING:
    from solvenet._array_api import Array

PRECISIONS = {
    "float16": 2.0**-10,
    "bfloat16": 2.0**-7,
    "float32": 2.0**-23,
    "float64": 2.0**-52,
}
"""Machine epsilon by name: the distance from 1 to the next number."""

_ROOTS = 20
"""From here on ``s_k = (k - 1/2) pi`` to all digits."""

CUTS = ("eps", "n eps", "self-consistent")


@dataclass(frozen=True, kw_only=True)
class CapturedModes:
    """What least squares at a precision captures of the function of a ReLU network.

    Attributes
    ----------
    n_modes : int
        Modes above the cut.
    frequency : float
        The angular frequency up to which there are as many modes: over pi, the m of the
        highest ``cos(m pi x)``, in one dimension half of `n_modes`.
    cut : float
        Smallest relative eigenvalue of the Gram matrix that counts.
    published_modes, published_frequency : float
        The published asymptotic ``eps**(-d / (2 d + 3))`` and ``eps**(-1 / (2 d + 3))``, which
        leave out constants.
    eps : float
        Machine epsilon.
    dimension : int
        Of the inputs.
    method : {"counted", "Weyl's law"}
        Whether eigenvalues were counted, or are too many for that.
    """

    n_modes: int
    frequency: float
    cut: float
    published_modes: float
    published_frequency: float
    eps: float
    dimension: int
    method: str


def machine_epsilon(precision: Any) -> float:
    """Return the machine epsilon of a precision.

    Parameters
    ----------
    precision : str, dtype or float
        ``"float16"``, ``"bfloat16"``, ``"float32"`` or ``"float64"``; a dtype of NumPy or torch;
        or an epsilon itself, above 0 and below 1.

    Returns
    -------
    float
        Such as ``2**-23`` for float32.

    Raises
    ------
    InvalidSettingError
        Anything else.

    Examples
    --------
    >>> from solvenet.analysis import machine_epsilon
    >>> machine_epsilon("bfloat16")
    0.0078125
    """
    if isinstance(precision, int | float | np.floating) and not isinstance(precision, bool):
        if not 0 < precision < 1:
            msg = f"precision={precision!r} was given; an epsilon above 0 and below 1 is wanted."
            raise InvalidSettingError(msg)
        return float(precision)
    return PRECISIONS[precision_name(precision)]


def precision_name(precision: Any) -> str:
    """Return the name of a precision that is given by name or as a dtype of NumPy or torch."""
    name = precision
    if not isinstance(precision, str) and precision is not None:
        try:
            name = np.dtype(precision).name
        except TypeError:  # torch.bfloat16 and the like
            name = str(precision).removeprefix("torch.")
    return check_choice("precision", name, PRECISIONS)


def captured_modes(
    precision: Any = "float32",
    *,
    dimension: int = 1,
    matrix: Literal["gram", "design"] = "gram",
    cut: float | Literal["eps", "n eps", "self-consistent"] = "eps",
    n: int | None = None,
) -> CapturedModes:
    """Return how many modes a ReLU network represents when solved in a precision.

    Parameters
    ----------
    precision : str, dtype or float, default="float32"
        As for :func:`machine_epsilon`.
    dimension : int, default=1
        Of the inputs: units on (-1, 1), or on the unit ball.
    matrix : {"gram", "design"}, default="gram"
        What is solved with: normal equations (gradient descent behaves alike), or least
        squares on the design matrix itself (QR, SVD). The singular values of the design matrix
        are roots of the eigenvalues of the Gram matrix: *not forming it squares the reach*.
    cut : {"eps", "n eps", "self-consistent"} or float, default="eps"
        Singular values of the matrix of at most this share of the largest are lost: the
        epsilon; n times it (the rule of ``pinv``); n times it for the smallest network
        that has all its modes above, n being their number; or a given share.
    n : int, optional
        Units of the network, which has no more modes than that. Wanted for ``"n eps"``.

    Returns
    -------
    CapturedModes
        The number, the highest frequency, and the published formula beside it.

    Raises
    ------
    InvalidSettingError
        A setting outside its range, or ``"n eps"`` without `n`.

    Notes
    -----
    In one dimension the count is exact: with the roots ``s_k`` of :func:`relu_spectrum` it is
    that of ``(s_1 / s_k)**4 >= cut``, or ``floor(1/2 + (s_1 / pi) cut**(-1/4))`` but
    for the first few. On the ball the eigenvalues of :func:`ball_spectrum` are counted;
    where they do not reach the cut, :func:`weyl_count` is used.

    The published formula comes from the self-consistent cut and leaves out all constants: 24
    and 1351 modes for float32 and float64 in one dimension, where 16 and 894 are captured.

    References
    ----------
    S. Zhang, H. Zhao, Y. Zhong, H. Zhou (2023), "Why shallow networks struggle with
    approximating and learning high frequency", https://arxiv.org/abs/2306.17301

    Examples
    --------
    >>> from solvenet.analysis import captured_modes
    >>> captured_modes("float32").n_modes, captured_modes("float64").n_modes
    (32, 4890)
    >>> captured_modes("float32", matrix="design").n_modes
    1729
    >>> round(captured_modes("float32").published_modes, 2)
    24.25
    >>> captured_modes("float32", cut="self-consistent", dimension=2).n_modes
    47
    """
    eps = machine_epsilon(precision)
    d = check_count("dimension", dimension)
    check_choice("matrix", matrix, ("gram", "design"))
    most = math.inf if n is None else check_count("n", n, minimum=2)
    squared = 2 if matrix == "design" else 1
    count, counted_above = _counter(d)
    share: float
    if cut == "self-consistent":
        # count(K eps) falls with K: the largest K with at least K modes above it.
        found = _last(lambda k: count(min(1.0, k * eps) ** squared) >= k)
        share = found * eps
    elif cut == "n eps":
        if n is None:
            msg = 'cut="n eps" wants n, the number of units. Give n, or cut="self-consistent".'
            raise InvalidSettingError(msg)
        share = min(1.0, n * eps)
    elif isinstance(cut, str):
        share = eps if check_choice("cut", cut, CUTS) == "eps" else 1.0
    else:
        share = check_threshold(cut, "cut")
    eta = share**squared
    n_modes = int(min(count(eta), most))
    # As many modes as the ball has up to a frequency, by the volume of phase space.
    frequency = 2 * math.pi * (n_modes / ball_volume(d) ** 2) ** (1 / d)
    return CapturedModes(
        n_modes=n_modes,
        frequency=frequency,
        cut=eta,
        published_modes=eps ** (-d / (2 * d + 3)),
        published_frequency=eps ** (-1 / (2 * d + 3)),
        eps=eps,
        dimension=d,
        method="counted" if eta > counted_above else "Weyl's law",
    )


def low_pass(
    f: Callable[[Array], Array],
    threshold: float,
    *,
    modes: Modes | None = None,
    offset: float | Literal["left"] = "left",
) -> Projection:
    """Return what a network keeps of a function when small eigenvalues are cut off.

    Parameters
    ----------
    f : callable
        Vectorised function on [-1, 1].
    threshold : float
        Eigenvalues of the Gram matrix below this share of the largest are cut off; above 0
        and at most 1.
    modes : Modes, optional
        Modes of the network; by default the exact ones of ReLU networks on (-1, 1).
    offset : float or "left", default="left"
        Constant that is taken off first; ``"left"`` is f(-1).

    Returns
    -------
    Projection
        On the modes that are left: a function of x with its error.

    Raises
    ------
    InvalidSettingError, InvalidDataError
        As :func:`project`, and for a threshold outside of (0, 1] or below what `modes` hold.

    Notes
    -----
    Cost ``100 k**2`` evaluations of exponentials and cosines with k modes left: a second at
    ``threshold=1e-10`` (189 modes).

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.analysis import low_pass
    >>> wave = lambda x: np.cos(18 * np.pi * x) - np.sin(6 * np.pi * x)
    >>> for threshold in (1e-6, 1e-7, 1e-8):
    ...     kept = low_pass(wave, threshold)
    ...     print(kept.n_modes, f"{kept.mean_squared_errors[-1]:.1e}")
    19 5.4e-01
    34 4.8e-01
    60 2.6e-04
    """
    check_threshold(threshold)
    if modes is None:
        modes = relu_modes(max(_count_roots(threshold), 2))
    kept = modes.spectrum.count(threshold)
    if kept > modes.n_modes:
        msg = (
            f"threshold={threshold:.3g} keeps {kept} modes, and modes holds {modes.n_modes} of "
            "them. Use a larger threshold, or compute more modes."
        )
        raise InvalidSettingError(msg)
    return project(f, modes, offset=offset).first(kept)


def width_error(n: int, *, dimension: int = 1) -> float:
    """Return how the error of a ReLU network falls with few units: ``n**(-2 / d)``.

    Parameters
    ----------
    n : int
        Units.
    dimension : int, default=1
        Of the inputs.

    Returns
    -------
    float
        The L2 error up to a constant and the H^2 norm of the function: that of linear
        interpolation. It holds until the modes that the precision captures are used up.

    Raises
    ------
    InvalidSettingError
        A number that is no whole number >= 1.
    """
    d = check_count("dimension", dimension)
    return float(check_count("n", n) ** (-2.0 / d))


def precision_error(
    precision: Any = "float32", *, dimension: int = 1, smoothness: float = 2.0
) -> float:
    """Return the error at which more units no longer help: ``eps**(p / (2 d + 3))``.

    Parameters
    ----------
    precision : str, dtype or float, default="float32"
        As for :func:`machine_epsilon`.
    dimension : int, default=1
        Of the inputs.
    smoothness : float, default=2.0
        The p of the function's space H^p.

    Returns
    -------
    float
        The L2 error up to a constant and the H^p norm of the function: what lies above
        the highest captured frequency ``eps**(-1 / (2 d + 3))``. With p = 2 it meets
        :func:`width_error` at ``eps**(-d / (2 d + 3))`` units, the published number of modes.

    Raises
    ------
    InvalidSettingError
        A setting outside its range.

    Examples
    --------
    >>> from solvenet.analysis import precision_error, width_error
    >>> round(precision_error("float32"), 6), round(width_error(24), 6)
    (0.0017, 0.001736)
    """
    d = check_count("dimension", dimension)
    smoothness = check_nonnegative("smoothness", smoothness)
    return float(machine_epsilon(precision) ** (smoothness / (2 * d + 3)))


def _counter(d: int) -> tuple[Callable[[float], int], float]:
    """Return the number of modes above a relative eigenvalue, and down to where it is counted."""
    if d == 1:
        return _count_roots, 0.0
    spectrum = ball_spectrum(d)
    largest = float(spectrum.eigenvalues[0])

    def count(eta: float) -> int:
        if eta > spectrum.resolution:
            return spectrum.count(eta)
        return math.floor(weyl_count(eta * largest, dimension=d))

    return count, spectrum.resolution


def _count_roots(eta: float) -> int:
    """Return the number of k with ``(s_1 / s_k)**4 >= eta``."""
    roots = beam_roots(_ROOTS)
    values = (roots[0] / roots) ** 4
    if eta > values[-1]:
        return int(np.count_nonzero(values >= eta))
    count: int = math.floor(0.5 + float(roots[0]) / math.pi * eta**-0.25)
    return count


def _last(holds: Callable[[int], bool]) -> int:
    """Return the last whole number >= 1 for which a statement holds, true up to it."""
    high = 1
    while holds(2 * high):
        high *= 2
    low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
