"""What a shallow network is to be like, before there is one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solvenet._random import stream
from solvenet._validation import check_count, check_positive
from solvenet.analysis.precision import precision_name
from solvenet.features import Activation, DenseMap, get_activation

_PERIODIC = ("sin", "cos")


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """A network of one hidden layer on inputs in [-1, 1]^d, and how it is to be solved.

    A unit is ``activation(scale * (w'x - b))`` with `w` on the unit sphere and `b` over the
    range of ``w'x``: evenly spaced in one dimension, where w = 1, and drawn in more. For the
    periodic sine and cosine the weights are drawn uniformly from the ball of radius `scale`
    (the highest angular frequency) and the biases from a whole period.

    Parameters
    ----------
    width : int, default=1000
        Units.
    activation : str, Activation or callable, default="relu"
        As in :func:`solvenet.features.get_activation`.
    scale : float, default=1.0
        Of the first layer, on inputs in [-1, 1]. For ReLU it changes nothing.
    precision : {"float64", "float32", "float16", "bfloat16"} or dtype, default="float64"
        In which it is solved or trained.
    gram : bool, default=False
        Whether by the Gram matrix (normal equations, gradient descent), which sees squares
        of singular values, or by the features themselves (QR, SVD).

    Raises
    ------
    InvalidSettingError
        A width below one, a scale that is not above zero, an unknown activation.

    Examples
    --------
    >>> from solvenet.analysis import NetworkSpec
    >>> NetworkSpec(width=4).layer(1).biases
    array([ 1.        ,  0.33333333, -0.33333333, -1.        ])
    """

    width: int = 1000
    activation: str | Activation = "relu"
    scale: float = 1.0
    precision: str = "float64"
    gram: bool = False

    def __post_init__(self) -> None:
        """Check the settings."""
        check_count("width", self.width)
        object.__setattr__(self, "precision", precision_name(self.precision))
        get_activation(self.activation)
        check_positive("scale", self.scale)

    def layer(self, dimension: int, *, random_state: int = 0) -> DenseMap:
        """Return hidden units for inputs in [-1, 1]^d.

        Parameters
        ----------
        dimension : int
            Columns of the inputs, d.
        random_state : int, default=0
            Seed of the weights; in one dimension only periodic units are drawn.

        Returns
        -------
        DenseMap
            Of `width` units.
        """
        d, m = check_count("dimension", dimension), self.width
        activation = get_activation(self.activation)
        rng = stream(random_state, "network specification")
        W = rng.standard_normal((d, m))
        W /= np.linalg.norm(W, axis=0)
        if activation.name in _PERIODIC:
            W *= self.scale * rng.random(m) ** (1.0 / d)
            return DenseMap(W, rng.uniform(-np.pi, np.pi, m), activation)
        if d == 1:
            return DenseMap(
                np.full((1, m), self.scale), -self.scale * np.linspace(-1.0, 1.0, m), activation
            )
        # Rows lie within about sqrt(d / 3) of the centre along most directions.
        reach = np.minimum(np.abs(W).sum(axis=0), np.sqrt(float(d)))
        biases = -self.scale * reach * rng.uniform(-1.0, 1.0, m)
        return DenseMap(self.scale * W, biases, activation)
