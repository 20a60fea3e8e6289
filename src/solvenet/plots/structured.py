"""Figures of structured networks: how a fit grows, where it errs, what its layers do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._validation import check_count, import_optional
from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.plots._base import BLUE, GREY, ORANGE, axes_of

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.structured import MMNN

    Function = Callable[[Array], Array]

_LEAST = 1e-16
_PANEL = 2.4  # inches


def plot_film_strip(
    frames: Mapping[Any, Function],
    target: Function,
    *,
    n_inputs: int = 1,
    low: float = -1.0,
    high: float = 1.0,
    n_points: int | None = None,
) -> Any:
    """Plot how a fit approaches a function: a column a moment, the fit above its error.

    Parameters
    ----------
    frames : mapping from a label to a callable
        Models at chosen epochs or steps, by what is written above them. A callable takes points
        of shape (n,) for one input and (n, 2) for two, and returns (n,): such as
        ``module.to_arrays()`` in a callback of :func:`~solvenet.torchnets.train_adam`.
    target : callable
        What they approach.
    n_inputs : {1, 2}, default=1
        Inputs.
    low, high : float, default=-1.0 and 1.0
        Range of each input.
    n_points : int, optional
        Points of an axis; 1001 for one input and 200 for two by default.

    Returns
    -------
    array of matplotlib Axes, shape (2, n_frames)
        Lines, the target in grey, for one input; images of one scale for two.

    Raises
    ------
    InvalidDataError
        No frames, or values that are not one a point.
    InvalidSettingError
        Another number of inputs.
    """
    if not frames:
        msg = "No frames were given; at least one model is wanted."
        raise InvalidDataError(msg)
    X, axis = _points(n_inputs, low, high, n_points)
    wanted = _values(target, X)
    found = {label: _values(model, X) for label, model in frames.items()}
    largest = max(float(np.abs(values - wanted).max()) for values in found.values()) or _LEAST
    plt = import_optional("matplotlib.pyplot", extra="plots", purpose="Plotting")
    _, axes = plt.subplots(
        2,
        len(found),
        figsize=(_PANEL * len(found), 2 * _PANEL),
        sharex=True,
        sharey="row",
        squeeze=False,
        layout="constrained",
    )
    for (above, below), (label, values) in zip(axes.T, found.items(), strict=True):
        error = values - wanted
        mse = float(np.mean(error**2))
        above.set_title(f"{label}\nMSE {mse:.1e}", fontsize="small")
        if n_inputs == 1:
            above.plot(X, wanted, color=GREY, lw=2)
            above.plot(X, values, color=BLUE, lw=0.8)
            below.plot(X, error, color=ORANGE, lw=0.8)
        else:
            ends = {"vmin": float(wanted.min()), "vmax": float(wanted.max())}
            _image(above, values, axis, cmap="viridis", **ends)
            _image(below, error, axis, cmap="RdBu", vmin=-largest, vmax=largest)
    axes[0, 0].set_ylabel("fit")
    axes[1, 0].set_ylabel("error")
    return axes


def plot_error_map(
    model: Function,
    target: Function,
    *,
    n_inputs: int = 2,
    low: float = -1.0,
    high: float = 1.0,
    n_points: int | None = None,
    ax: Any = None,
) -> Any:
    """Plot where a model errs, on a logarithmic scale.

    Parameters
    ----------
    model, target : callable
        From points of shape (n,) for one input, (n, 2) for two, to values of shape (n,).
    n_inputs : {1, 2}, default=2
        Inputs.
    low, high : float, default=-1.0 and 1.0
        Range of each input.
    n_points : int, optional
        Points of an axis; 1001 for one input and 200 for two by default.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        Absolute errors: a line, or an image of their decimal logarithms with a colour bar.

    Raises
    ------
    InvalidDataError
        Values that are not one a point.
    InvalidSettingError
        Another number of inputs.
    """
    X, axis = _points(n_inputs, low, high, n_points)
    error = np.maximum(np.abs(_values(model, X) - _values(target, X)), _LEAST)
    ax = axes_of(ax)
    if n_inputs == 1:
        ax.plot(X, error, color=ORANGE, lw=0.8)
        ax.set(yscale="log", xlabel="x", ylabel="absolute error")
        return ax
    image = _image(ax, np.log10(error), axis, cmap="magma")
    ax.figure.colorbar(image, ax=ax, label="log10 of the absolute error")
    return ax


def plot_channels(network: MMNN, *, n_points: int | None = None, most: int = 6) -> Any:
    """Plot what the channels of each layer are as functions of the input.

    Parameters
    ----------
    network : MMNN
        Of one or two inputs.
    n_points : int, optional
        Points of an axis; 1001 for one input and 200 for two by default.
    most : int, default=6
        Channels drawn of a layer.

    Returns
    -------
    array of matplotlib Axes, shape (depth, n_channels)
        A row a layer, from the first; of the last layer the outputs.

    Raises
    ------
    InvalidSettingError
        A network of more than two inputs.
    """
    Z, axis = _points(network.n_inputs, -1.0, 1.0, n_points)
    values = [part[3] for part in network.passes(Z.reshape(len(Z), -1))]
    count = min(check_count("most", most), max(v.shape[1] for v in values))
    axes = _panels(network.depth, count)
    for number, (row, channels) in enumerate(zip(axes, values, strict=True), 1):
        for i, ax in enumerate(row):
            if i >= channels.shape[1]:
                ax.set_axis_off()
            elif network.n_inputs == 1:
                ax.plot(Z, channels[:, i], color=BLUE, lw=0.8)
            else:
                _image(ax, channels[:, i], axis, cmap="viridis")
        row[0].set_ylabel("outputs" if number == network.depth else f"layer {number}")
    return axes


def plot_components(
    network: MMNN, layer: int, *, X: Array | None = None, n_points: int = 401, most: int = 6
) -> Any:
    """Plot the components of a layer: each is a shallow network of the channels before it.

    Parameters
    ----------
    network : MMNN
        Any.
    layer : int
        From 1 to the depth.
    X : array of shape (n_rows, n_inputs), optional
        Rows that say which range the channels before the layer take; by default 1000 points of
        the domain.
    n_points : int, default=401
        Points of a line.
    most : int, default=6
        Components, and channels before them, that are drawn.

    Returns
    -------
    array of matplotlib Axes, shape (n_components, n_channels)
        A row a component, a column a channel before it, which goes through its range while the
        others stay at their medians.

    Raises
    ------
    InvalidSettingError
        There is no such layer.
    """
    if not 1 <= check_count("layer", layer) <= network.depth:
        msg = f"layer={layer} was given; 1 to {network.depth} is wanted."
        raise InvalidSettingError(msg)
    rng = np.random.default_rng(0)
    Z = rng.uniform(-1, 1, (1000, network.n_inputs)) if X is None else network.scaled(X)
    for number, part in enumerate(network.passes(Z), 1):
        if number == layer:
            H = part[0]
    alone = type(network)((network.layers[layer - 1],), network.activation)
    most = check_count("most", most)
    axes = _panels(min(most, alone.n_outputs), min(most, alone.n_inputs))
    for j in range(axes.shape[1]):
        line = np.tile(np.median(H, axis=0), (n_points, 1))
        line[:, j] = np.linspace(H[:, j].min(), H[:, j].max(), n_points)
        values = alone.values(line)
        for i in range(axes.shape[0]):
            axes[i, j].plot(line[:, j], values[:, i], color=BLUE, lw=0.8)
        axes[-1, j].set_xlabel(f"{'input' if layer == 1 else 'channel'} {j + 1}")
    for i in range(axes.shape[0]):
        axes[i, 0].set_ylabel(f"component {i + 1}")
    return axes


def plot_residual_spectrum(
    times: Array,
    projections: Array,
    *,
    frequency: Array | None = None,
    xlabel: str = "epoch",
    ax: Any = None,
) -> Any:
    """Plot the spectrum of the residual over time as an image.

    Parameters
    ----------
    times : array of shape (r,)
        Epochs or steps, increasing, such as ``ModewiseResidual.steps``.
    projections : array of shape (r, p)
        The residual on p modes, such as ``ModewiseResidual.projections``.
    frequency : array of shape (p,), optional
        Of the modes, increasing; their number by default.
    xlabel : str, default="epoch"
        What `times` are.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        Decimal logarithms of the absolute projections, time to the right, frequency upwards.

    Raises
    ------
    InvalidDataError
        Shapes that do not fit.
    """
    t, values = np.asarray(times, dtype=float), np.asarray(projections, dtype=float)
    m = np.arange(values.shape[-1]) if frequency is None else np.asarray(frequency, dtype=float)
    if values.ndim != 2 or values.shape != (len(t), len(m)) or 0 in values.shape:
        msg = (
            f"Times of shape {t.shape}, projections of shape {values.shape} and {len(m)} "
            "frequencies were given; (r,), (r, p) and p are wanted."
        )
        raise InvalidDataError(msg)
    ax = axes_of(ax)
    size = np.log10(np.maximum(np.abs(values), _LEAST))
    image = ax.pcolormesh(t, m, size.T, shading="nearest", cmap="magma", rasterized=True)
    ax.set(xlabel=xlabel, ylabel="frequency")
    ax.figure.colorbar(image, ax=ax, label="log10 of the residual on the mode")
    return ax


def _points(n_inputs: int, low: float, high: float, n: int | None) -> tuple[Array, Array]:
    """Return points of a line or a grid, and its axis."""
    if n_inputs not in (1, 2):
        msg = f"A function of {n_inputs} inputs was given; one or two can be drawn."
        raise InvalidSettingError(msg)
    n = (1001 if n_inputs == 1 else 200) if n is None else check_count("n_points", n, minimum=2)
    axis = np.linspace(low, high, n)
    if n_inputs == 1:
        return axis, axis
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    return grid.reshape(-1, 2), axis


def _values(function: Function, X: Array) -> Array:
    values = np.asarray(function(X), dtype=float)
    if values.shape != (len(X),):
        msg = f"A function returned shape {values.shape} for {len(X)} points; one each is wanted."
        raise InvalidDataError(msg)
    return values


def _image(ax: Any, values: Array, axis: Array, **options: Any) -> Any:
    """Draw values on a grid, the first input to the right."""
    ends = (axis[0], axis[-1]) * 2
    return ax.imshow(values.reshape(len(axis), -1).T, origin="lower", extent=ends, **options)


def _panels(rows: int, columns: int) -> Any:
    plt = import_optional("matplotlib.pyplot", extra="plots", purpose="Plotting")
    size = (1.7 * columns + 0.5, 1.5 * rows)
    _, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for ax in axes.flat:
        ax.tick_params(labelsize="x-small")
    return axes
