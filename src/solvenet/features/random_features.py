"""Data-agnostic samplers: random features, Fourier features, given weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._random import stream
from solvenet._validation import check_choice, check_nonnegative
from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.features._base import FeatureMap, FeatureSampler
from solvenet.features.activations import ACTIVATIONS, Activation
from solvenet.features.layers import DenseMap

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.features.rows import RowSet


@dataclass(frozen=True)
class RandomFeatures(FeatureSampler):
    """Weights drawn without looking at the data (random features, extreme learning machine).

    Parameters
    ----------
    distribution : {"normal", "uniform"}, default="normal"
        Of the weights: N(0, scale**2), or uniform on [-scale, scale].
    scale : float, default=1.0
        Width of the distribution, for inputs of variance one.
    bias : float, default=pi
        Biases are uniform on [-bias, bias].

    References
    ----------
    A. Rahimi, B. Recht (2008), Uniform approximation of functions with random bases,
    https://doi.org/10.1109/ALLERTON.2008.4797607

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet import RandomFeatures
    >>> from solvenet.features import get_activation
    >>> X = np.zeros((1, 3))
    >>> RandomFeatures().sample(X, X, 5, activation=get_activation("tanh")).weights.shape
    (3, 5)
    """

    distribution: str = "normal"
    scale: float = 1.0
    bias: float = float(np.pi)

    def sample(
        self,
        X: Array,
        Y: Array,
        width: int,
        *,
        activation: Activation,
        rows: RowSet | None = None,
        previous: FeatureMap | None = None,
        seed: int = 0,
        layer: int = 0,
    ) -> DenseMap:
        """Draw the weights; only the number of columns of X matters."""
        check_choice("distribution", self.distribution, ("normal", "uniform"))
        scale = check_nonnegative("scale", self.scale)
        bias = check_nonnegative("bias", self.bias)
        n_in = X.shape[1] if previous is None else previous.n_features_out
        rng = stream(seed, "random features", layer)
        draw = (
            rng.standard_normal((width, n_in))
            if self.distribution == "normal"
            else rng.uniform(-1.0, 1.0, (width, n_in))
        )
        return DenseMap((scale * draw).T, rng.uniform(-bias, bias, width), activation)


@dataclass(frozen=True)
class FourierFeatures(FeatureSampler):
    """``cos(w'x + b)`` with w ~ N(0, 1/length_scale**2), b uniform on a period.

    The random features of the Gaussian kernel ``exp(-||x-y||^2 / (2 length_scale^2))``.
    The activation that is asked for is replaced by the cosine.

    Parameters
    ----------
    length_scale : float, default=1.0
        Of the kernel, for inputs of variance one.

    References
    ----------
    A. Rahimi, B. Recht (2007), Random features for large-scale kernel machines, NeurIPS 20.
    """

    length_scale: float = 1.0

    def sample(
        self,
        X: Array,
        Y: Array,
        width: int,
        *,
        activation: Activation,
        rows: RowSet | None = None,
        previous: FeatureMap | None = None,
        seed: int = 0,
        layer: int = 0,
    ) -> DenseMap:
        """Draw the weights; only the number of columns of X matters."""
        if check_nonnegative("length_scale", self.length_scale) == 0:
            msg = "length_scale=0 was given; a number above zero is wanted."
            raise InvalidSettingError(msg)
        return RandomFeatures(scale=1.0 / self.length_scale).sample(
            X, Y, width, activation=ACTIVATIONS["cos"], previous=previous, seed=seed, layer=layer
        )


@dataclass(frozen=True)
class GivenFeatures(FeatureSampler):
    """Weights and biases that the caller gives, for one layer.

    Parameters
    ----------
    weights : array-like of shape (n_features_in, width)
        One column a unit, for the scaled inputs.
    biases : array-like of shape (width,)
        One number a unit.
    """

    weights: Any
    biases: Any

    def sample(
        self,
        X: Array,
        Y: Array,
        width: int,
        *,
        activation: Activation,
        rows: RowSet | None = None,
        previous: FeatureMap | None = None,
        seed: int = 0,
        layer: int = 0,
    ) -> DenseMap:
        """Return the given weights, checked against the inputs and the width."""
        W = np.asarray(self.weights, dtype=np.float64)
        b = np.asarray(self.biases, dtype=np.float64)
        n_in = X.shape[1] if previous is None else previous.n_features_out
        if W.shape != (n_in, width) or b.shape != (width,):
            msg = (
                f"weights of shape {W.shape} and biases of shape {b.shape} were given; "
                f"({n_in}, {width}) and ({width},) are wanted."
            )
            raise InvalidDataError(msg)
        return DenseMap(W, b, activation)
