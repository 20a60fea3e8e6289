"""Random networks to start from, and what is solved before any step."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from solvenet._random import stream
from solvenet._validation import check_choice, check_count, check_nonnegative
from solvenet.errors import InvalidSettingError
from solvenet.solvers import solve
from solvenet.structured.network import MMNN, Layer

if TYPE_CHECKING:
    from solvenet._array_api import Array

INITIALS = ("auto", "sphere", "default", "scaled")
DEVIATION = 0.5
"""Standard deviation of every hidden channel after :func:`balanced`."""


def random_mmnn(
    width: int,
    rank: int,
    depth: int,
    *,
    n_inputs: int = 1,
    n_outputs: int = 1,
    activation: str = "relu",
    initial: str = "auto",
    scale: float | None = None,
    residual: bool = False,
    fixed: bool = True,
    low: Array | float = -1.0,
    high: Array | float = 1.0,
    random_state: int = 0,
) -> MMNN:
    """Return a random multi-component, multi-layer network.

    Parameters
    ----------
    width : int
        Units of each layer.
    rank : int
        Channels between layers, at most `width`.
    depth : int
        Number of layers.
    n_inputs, n_outputs : int, default=1
        Columns of inputs and outputs.
    activation : str, default="relu"
        A name of ``solvenet.features.ACTIVATIONS``.
    initial : {"auto", "sphere", "default", "scaled"}, default="auto"
        "sphere": columns of W on the unit sphere, biases uniform on [-1, 1]. "default": what
        PyTorch draws, everything uniform up to ``1 / sqrt(n_in)``. "scaled": like "default",
        with the first W and b times `scale`. "auto": "sphere" for relu and gelu, "scaled" for
        the others. A and c are always PyTorch's.
    scale : float, optional
        Of "scaled"; ``(width / 2)**(1 / d) * sqrt(d)`` by default: about the highest angular
        frequency that the first layer resolves.
    residual : bool, default=False
        Whether hidden layers add their inputs.
    fixed : bool, default=True
        Whether solvers keep W and b.
    low, high : float or array of shape (n_inputs,), default=-1.0 and 1.0
        The domain.
    random_state : int, default=0
        Seed; every layer has a stream of its own.

    Returns
    -------
    MMNN
        To be given to :func:`solve_mmnn`.

    Raises
    ------
    InvalidSettingError
        A rank above the width, sizes below one, an unknown activation or start.

    Notes
    -----
    (width, rank, depth) = (10, 3, 5), (100, 10, 6), (300, 5, 4) have 143, 5151, 4816 fitted
    numbers: ``(width + 1) * (rank * (depth - 1) + n_outputs)``.

    References
    ----------
    arXiv:2407.00765 (structure; its code draws everything by PyTorch's default and keeps W, b),
    arXiv:2502.18959 (scaled sines; the scale is that of its code).

    Examples
    --------
    >>> from solvenet.structured import random_mmnn
    >>> random_mmnn(300, 5, 4, activation="sin").n_parameters
    4816
    """
    width, rank = check_count("width", width), check_count("rank", rank)
    depth = check_count("depth", depth)
    n_inputs, n_outputs = check_count("n_inputs", n_inputs), check_count("n_outputs", n_outputs)
    if rank > width:
        msg = (
            f"rank={rank} with width={width} was given: {width} units span at most {width} "
            "channels. Give a rank of at most the width."
        )
        raise InvalidSettingError(msg)
    check_choice("initial", initial, INITIALS)
    seed = check_count("random_state", random_state, minimum=0)
    if initial == "auto":
        initial = "sphere" if activation in ("relu", "gelu") else "scaled"
    factor = (width / 2) ** (1 / n_inputs) * math.sqrt(n_inputs)
    factor = factor if scale is None else check_nonnegative("scale", scale)
    channels = [n_inputs, *[rank] * (depth - 1), n_outputs]
    layers = []
    for number in range(depth):
        rng = stream(seed, "mmnn", number)
        n_in, n_out = channels[number], channels[number + 1]
        if initial == "sphere":
            W = rng.standard_normal((n_in, width))
            W /= np.linalg.norm(W, axis=0)
            b = rng.uniform(-1.0, 1.0, width)
        else:
            size = 1 / math.sqrt(n_in) * (factor if initial == "scaled" and number == 0 else 1.0)
            W, b = rng.uniform(-size, size, (n_in, width)), rng.uniform(-size, size, width)
        size = 1 / math.sqrt(width)
        A, c = rng.uniform(-size, size, (width, n_out)), rng.uniform(-size, size, n_out)
        layers.append(Layer(W, b, A, c))
    ones = np.ones(n_inputs)
    return MMNN(tuple(layers), activation, residual, fixed, low * ones, high * ones)


def balanced(network: MMNN, X: Array) -> MMNN:
    """Return the network with hidden channels of mean 0 and deviation 0.5 on the rows.

    Without it the published start is flat for ReLU: its channels hardly vary, and solvers see
    the lowest modes only.

    Parameters
    ----------
    network : MMNN
        Any.
    X : array of shape (n_rows, n_inputs) or (n_rows,)
        Rows of the domain.

    Returns
    -------
    MMNN
        With other A and c in all layers but the last. With residual, what a layer adds to its
        inputs is scaled. Channels that do not vary keep their scale.
    """
    H = network.scaled(X)
    layers = []
    for number, layer in enumerate(network.layers):
        # One layer at a time: the images of the rows change with every layer before.
        one = MMNN((layer,), network.activation)
        S = next(one.passes(H))[2]
        if number < network.depth - 1:
            spread = S @ layer.A
            size = spread.std(axis=0)
            A = layer.A * np.where(size > 0, DEVIATION / np.where(size > 0, size, 1.0), 1.0)
            layer = Layer(layer.W, layer.b, A, -(S @ A).mean(axis=0))
        n = network.n_passed(number)
        values = S @ layer.A + layer.c
        values[:, :n] += H[:, :n]
        H = values
        layers.append(layer)
    return network.with_layers(layers)


def solved_last(network: MMNN, X: Array, Y: Array, *, ridge: float) -> MMNN:
    """Return the network with its last layer solved by ridge regression.

    Parameters
    ----------
    network : MMNN
        Any.
    X : array of shape (n_rows, n_inputs) or (n_rows,)
        Inputs.
    Y : array of shape (n_rows, n_outputs)
        Targets.
    ridge : float
        As a multiple of the mean square of a unit: of ``||S||_F^2 / width``.

    Returns
    -------
    MMNN
        With another last A and c.
    """
    S = deque(network.passes(network.scaled(X)), maxlen=1).pop()[2]
    centred = S - S.mean(axis=0)
    alpha = ridge * float(np.einsum("ij,ij->", centred, centred)) / S.shape[1]
    if alpha == 0:
        return network
    found = solve(S, Y, solver="qr", alpha=alpha, intercept=True, audit="skip")
    last = network.layers[-1]
    solved = Layer(last.W, last.b, found.coef.reshape(last.A.shape), np.ravel(found.intercept))
    return network.with_layers([*network.layers[:-1], solved])
