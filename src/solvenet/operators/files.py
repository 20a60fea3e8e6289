"""Fields from the files of The Well and PDEBench, and from neuraloperator's dictionaries."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._validation import check_count, import_optional
from solvenet.errors import InvalidDataError

if TYPE_CHECKING:
    from solvenet._array_api import Array

_COORDINATES = ("x", "y", "z")


@dataclass(frozen=True, eq=False)
class Trajectories:
    """Fields of several runs of a simulation.

    Attributes
    ----------
    fields : array of shape (n_runs, n_times, n_channels, grid...)
        Values.
    names : tuple of str
        One a channel.
    grid : tuple of array
        Points of each axis.
    times : array of shape (n_times,) or None
        When, if the file says so.
    periodic : tuple of bool or None
        Whether each axis is periodic, if the file says so.
    """

    fields: Array = field(repr=False)
    names: tuple[str, ...]
    grid: tuple[Array, ...] = field(repr=False)
    times: Array | None = field(default=None, repr=False)
    periodic: tuple[bool, ...] | None = None

    def pairs(self, *, start: int | None = None, step: int = 1) -> tuple[Array, Array]:
        """Return inputs and outputs for an operator that goes on in time.

        Parameters
        ----------
        start : int, optional
            The time that inputs are taken at; by default all that have a later one.
        step : int, default=1
            How many times later the outputs are.

        Returns
        -------
        a, u : array of shape (n_pairs, n_channels, grid...)
            Run by run.

        Raises
        ------
        InvalidDataError
            The runs are shorter.
        """
        n_times = self.fields.shape[1]
        step = check_count("step", step)
        starts = range(n_times - step) if start is None else [start]
        if len(starts) == 0 or starts[-1] + step >= n_times or starts[0] < 0:
            msg = f"start={start!r} and step={step} were given; the runs have {n_times} times."
            raise InvalidDataError(msg)
        shape = (-1, *self.fields.shape[2:])
        a = self.fields[:, list(starts)].reshape(shape)
        u = self.fields[:, [s + step for s in starts]].reshape(shape)
        return a, u


def read_well(path: str | os.PathLike[str], *, names: Sequence[str] | None = None) -> Trajectories:
    """Read a file of The Well.

    Parameters
    ----------
    path : path
        HDF5 with the groups ``dimensions``, ``t0_fields``, ``t1_fields``, ``t2_fields`` and
        ``boundary_conditions``.
    names : sequence of str, optional
        Fields to read; by default all. The components of vectors and tensors become channels,
        named ``velocity_x`` and so on.

    Returns
    -------
    Trajectories
        In float64; fields that do not vary between runs or in time are repeated.

    Raises
    ------
    InvalidDataError
        Another layout, or a name that is not there.
    MissingExtraError
        The package h5py is missing.

    References
    ----------
    R. Ohana et al. (2024), The Well: a large-scale collection of diverse physics simulations for
    machine learning, arXiv:2412.00568.
    """
    with _opened(path) as file:
        if "dimensions" not in file or "t0_fields" not in file:
            raise _strange(path, "The Well", file)
        space = [_text(name) for name in file["dimensions"].attrs["spatial_dims"]]
        grid = tuple(_points(file["dimensions"][name][()]) for name in space)
        times = np.asarray(file["dimensions"]["time"][()], dtype=np.float64)
        times = times.reshape(-1, times.shape[-1])[0]
        n_runs = int(file.attrs["n_trajectories"])
        known: dict[str, tuple[Any, int]] = {}
        for rank in range(3):
            group = file.get(f"t{rank}_fields", {})
            known |= {name: (group[name], rank) for name in group}
        wanted = _chosen(path, names, known)
        channels, labels = [], []
        for name in wanted:
            values, rank = known[name]
            whole = _broadcast(values, rank, n_runs, len(times), grid)
            for index in np.ndindex(*(len(space),) * rank):
                channels.append(whole[(..., *index)])
                suffix = "".join(space[i] for i in index)
                labels.append(f"{name}_{suffix}" if suffix else name)
        periodic = _periodic(file.get("boundary_conditions"), space)
        return Trajectories(np.stack(channels, axis=2), tuple(labels), grid, times, periodic)


def read_pdebench(
    path: str | os.PathLike[str], *, names: Sequence[str] | None = None
) -> Trajectories:
    """Read a file of PDEBench.

    Parameters
    ----------
    path : path
        HDF5 with one dataset a field, (n_runs, n_times, grid...) or (n_runs, grid...), beside
        ``x-coordinate`` and so on; or one group a run with ``data`` (n_times, grid..., n_channels)
        and ``grid``.
    names : sequence of str, optional
        Datasets to read, of the first layout; by default all.

    Returns
    -------
    Trajectories
        In float64.

    Raises
    ------
    InvalidDataError
        Another layout, or a name that is not there.
    MissingExtraError
        The package h5py is missing.

    References
    ----------
    M. Takamoto et al. (2022), PDEBench: an extensive benchmark for scientific machine learning,
    NeurIPS 35, arXiv:2210.07182.
    """
    with _opened(path) as file:
        runs = sorted(name for name in file if hasattr(file[name], "keys") and "data" in file[name])
        if runs:
            return _read_runs(file, runs)
        if "x-coordinate" not in file:
            raise _strange(path, "PDEBench", file)
        grid = tuple(
            np.asarray(file[f"{c}-coordinate"][()], dtype=np.float64)
            for c in _COORDINATES
            if f"{c}-coordinate" in file
        )
        size = tuple(len(points) for points in grid)
        known = {n: file[n] for n in file if not n.endswith("-coordinate")}
        channels = []
        wanted = _chosen(path, names, known)
        for name in wanted:
            values = np.asarray(known[name][()], dtype=np.float64)
            if values.ndim == len(size) + 1:
                values = values[:, None]
            if values.shape[2:] != size:
                msg = f"{name} of {path} has shape {values.shape}; its coordinates {size}."
                raise InvalidDataError(msg)
            channels.append(values)
        n_times = max(values.shape[1] for values in channels)
        whole = [np.broadcast_to(v, (len(v), n_times, *size)) for v in channels]
        times = None
        if "t-coordinate" in file:
            # The coordinate has one entry more than the fields in some of the files.
            times = np.asarray(file["t-coordinate"][()], dtype=np.float64)[:n_times]
        return Trajectories(np.stack(whole, axis=2), tuple(wanted), grid, times)


def read_pairs(batches: Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> tuple[Array, Array]:
    """Return inputs and outputs of neuraloperator's dictionaries.

    Parameters
    ----------
    batches : mapping, or iterable of mappings
        ``{"x": inputs, "y": outputs}`` with arrays or tensors (n_fields, n_channels, grid...): a
        data set as a whole, or the batches of a loader.

    Returns
    -------
    a, u : array of shape (n_fields, n_channels, grid...)
        In float64.

    Raises
    ------
    InvalidDataError
        No batch, or one without ``"x"`` and ``"y"``.
    """
    parts = [batches] if isinstance(batches, Mapping) else list(batches)
    if not parts:
        msg = "There is no batch; at least one is wanted."
        raise InvalidDataError(msg)
    for number, part in enumerate(parts):
        if not isinstance(part, Mapping) or not {"x", "y"} <= set(part):
            msg = f'Batch {number} has no "x" and "y": {{"x": inputs, "y": outputs}} is wanted.'
            raise InvalidDataError(msg)
    a, u = (
        np.concatenate([np.asarray(part[key], dtype=np.float64) for part in parts])
        for key in ("x", "y")
    )
    return a, u


def _opened(path: str | os.PathLike[str]) -> Any:
    h5py = import_optional("h5py", extra="disk", purpose="Reading HDF5")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        if not Path(path).exists():
            raise
        msg = f"{path} is no HDF5 file, or it is damaged: {error}"
        raise InvalidDataError(msg) from error


def _read_runs(file: Any, runs: list[str]) -> Trajectories:
    """Read the layout with one group a run."""
    fields = np.stack([np.asarray(file[run]["data"][()], dtype=np.float64) for run in runs])
    own = file[runs[0]]["grid"]
    grid = tuple(np.asarray(own[c][()], dtype=np.float64) for c in _COORDINATES if c in own)
    times = np.asarray(own["t"][()], dtype=np.float64) if "t" in own else None
    names = tuple(f"field_{i}" for i in range(fields.shape[-1]))
    return Trajectories(np.moveaxis(fields, -1, 2), names, grid, times)


def _chosen(path: Any, names: Sequence[str] | None, known: Mapping[str, Any]) -> list[str]:
    missing = [name for name in names or () if name not in known]
    if missing or not known:
        msg = f"{path} has no field {missing}; it has {sorted(known)}."
        raise InvalidDataError(msg)
    return list(names) if names is not None else sorted(known)


def _broadcast(values: Any, rank: int, n_runs: int, n_times: int, grid: tuple[Array, ...]) -> Array:
    """Return a field of The Well with an axis for runs and one for times, whatever varies."""
    array = np.asarray(values[()], dtype=np.float64)
    varies = np.asarray(values.attrs.get("dim_varying", np.ones(len(grid), bool)), dtype=bool)
    for at, attribute in enumerate(("sample_varying", "time_varying")):
        if not bool(values.attrs.get(attribute, True)):
            array = np.expand_dims(array, at)
    for axis, varying in enumerate(varies):
        if not varying and array.ndim < 2 + len(grid) + rank:
            array = np.expand_dims(array, 2 + axis)
    size = tuple(len(points) for points in grid)
    return np.broadcast_to(array, (n_runs, n_times, *size, *(len(grid),) * rank))


def _periodic(conditions: Any, space: list[str]) -> tuple[bool, ...] | None:
    if conditions is None:
        return None
    found = dict.fromkeys(space, False)
    for name in conditions:
        attributes = conditions[name].attrs
        if _text(attributes.get("bc_type", "")).upper() == "PERIODIC":
            for dimension in attributes["associated_dims"]:
                found[_text(dimension)] = True
    return tuple(found[name] for name in space)


def _points(points: Any) -> Array:
    """Return the points of an axis, which a file may give once for every run."""
    array = np.asarray(points, dtype=np.float64)
    return np.asarray(array.reshape(-1, array.shape[-1])[0])


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _strange(path: Any, kind: str, file: Any) -> InvalidDataError:
    return InvalidDataError(f"{path} has not the layout of {kind}: it holds {sorted(file)}.")
