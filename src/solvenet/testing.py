"""Matrices on which least squares goes wrong, and checks that third parties can run too.

``hard_matrices`` builds named problems from known factors; ``row_sources`` hands the same
matrix out in every way solvenet can read it; ``reference_solution`` solves it by an SVD
with an explicit cutoff; ``excess`` says how far a solution is from it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from solvenet._random import stream
from solvenet.blocks import ArrayBlocks, MappedBlocks, OnePassBlocks, RowBlocks, Scaled
from solvenet.linalg.rank import relative_cutoff

if TYPE_CHECKING:
    from solvenet._array_api import Array


@dataclass(frozen=True)
class HardMatrix:
    """A least-squares problem with a name and a reason to fail.

    Attributes
    ----------
    name : str
        What is hard about it.
    A : array of shape (n_rows, n_cols)
        The matrix.
    B : array of shape (n_rows, n_targets)
        Right-hand sides: noisy, consistent and zero.
    """

    name: str
    A: Array
    B: Array


def hard_matrices() -> list[HardMatrix]:
    """Return the named problems every solver is tested on.

    Returns
    -------
    list of HardMatrix
        Condition numbers 1e2 to 1e16, rank-deficient, wide, one column, zero columns,
        repeated rows and columns, a constant column, Kahan's matrix, two-level spectrum,
        coherent rows, badly scaled columns, tiny and huge scale, float32, the zero
        matrix, and the features of a tanh network.
    """
    rng = stream(0, "hard matrices")
    tall = (240, 30)
    out = {f"condition 1e{k}": _graded(rng, tall, 10.0**k) for k in (2, 8, 12, 16)}
    low = _graded(rng, (240, 20), 1e3)
    out["rank deficient"] = low @ rng.standard_normal((20, 30))
    out["wide"] = _graded(rng, (20, 60), 1e4)
    out["square"] = _graded(rng, (30, 30), 1e6)
    out["one column"] = rng.standard_normal((50, 1))
    out["one row"] = rng.standard_normal((1, 4))
    out["zero column"] = np.where(np.arange(30) == 7, 0.0, _graded(rng, tall, 10.0))
    out["zero matrix"] = np.zeros((40, 5))
    out["repeated rows"] = np.repeat(_graded(rng, (24, 30), 1e3), 10, axis=0)
    out["repeated columns"] = np.tile(_graded(rng, (240, 10), 1e3), 3)
    out["constant column"] = np.column_stack([np.full(240, 1e6), _graded(rng, (240, 9), 10.0)])
    out["kahan"] = np.vstack([_kahan(30), np.zeros((60, 30))])
    levels = np.where(np.arange(30) < 15, 1e5, 1.0)
    out["two levels"] = with_spectrum(rng, tall, levels)
    coherent = 1e-6 * rng.standard_normal(tall)
    coherent[:30] += np.eye(30)
    out["coherent rows"] = coherent
    out["bad column scales"] = rng.standard_normal(tall) * np.geomspace(1e-6, 1e6, 30)
    out["tiny"] = 1e-150 * _graded(rng, tall, 1e3)
    out["huge"] = 1e150 * _graded(rng, tall, 1e3)
    out["float32"] = _graded(rng, tall, 1e3).astype(np.float32)
    points = rng.uniform(-1, 1, (400, 2))
    out["tanh features"] = np.tanh(points @ rng.standard_normal((2, 120)) + rng.uniform(-1, 1, 120))
    return [HardMatrix(name, A, _targets(rng, A)) for name, A in out.items()]


def _targets(rng: np.random.Generator, A: Array) -> Array:
    scale = float(np.abs(A).max()) or 1.0
    noisy = scale * rng.standard_normal(len(A))
    consistent = A.astype(np.float64) @ rng.standard_normal(A.shape[1])
    return np.column_stack([noisy, consistent, np.zeros(len(A))])


def _graded(rng: np.random.Generator, shape: tuple[int, int], condition: float) -> Array:
    return with_spectrum(rng, shape, np.geomspace(1.0, 1.0 / condition, min(shape)))


def with_spectrum(rng: np.random.Generator, shape: tuple[int, int], s: Array) -> Array:
    """Return a matrix with these singular values and random singular vectors.

    Parameters
    ----------
    rng : numpy.random.Generator
        Of the vectors.
    shape : tuple of (int, int)
        Of the matrix.
    s : array of shape (min(shape),)
        The singular values.
    """
    k = min(shape)
    U = np.linalg.qr(rng.standard_normal((shape[0], k)))[0]
    V = np.linalg.qr(rng.standard_normal((shape[1], k)))[0]
    A: Array = (U * s) @ V.T
    return A


def _kahan(n: int) -> Array:
    sine, cosine = np.sin(1.2), np.cos(1.2)
    triangle = np.eye(n) - cosine * np.triu(np.ones((n, n)), 1)
    out: Array = (sine ** np.arange(n))[:, None] * triangle
    return out


@contextmanager
def row_sources(A: Array) -> Iterator[dict[str, RowBlocks]]:
    """Hand out the same matrix as every kind of source.

    Parameters
    ----------
    A : array of shape (n_rows, n_cols)
        The matrix.

    Yields
    ------
    dict of str to RowBlocks
        The array at once, in small blocks, in Fortran order, read-only, memory-mapped,
        mapped on the fly, scaled, and as a source that can be read once.
    """
    read_only = A.copy()
    read_only.flags.writeable = False
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "matrix.npy"
        np.save(path, A)
        mapped = np.load(path, mmap_mode="r")
        yield {
            "array": ArrayBlocks(A),
            "small blocks": ArrayBlocks(A, rows_per_block=7),
            "fortran order": ArrayBlocks(np.asfortranarray(A), rows_per_block=97),
            "read only": ArrayBlocks(read_only, rows_per_block=50),
            "memory map": ArrayBlocks(mapped, rows_per_block=64),
            "on the fly": MappedBlocks(
                ArrayBlocks(A, rows_per_block=31),
                lambda X: X.copy(),
                A.shape[1],
                dtype=A.dtype.type,
            ),
            "scaled": Scaled(ArrayBlocks(A, rows_per_block=40), np.ones(A.shape[1])),
            "one pass": OnePassBlocks(
                (A[i : i + 53] for i in range(0, len(A), 53)), A.shape, dtype=A.dtype.type
            ),
        }
        del mapped


def reference_solution(A: Array, B: Array, *, alpha: float = 0.0) -> Array:
    """Return the minimum-norm ridge solution by an SVD in float64 with NumPy's cutoff.

    Parameters
    ----------
    A : array of shape (n_rows, n_cols)
        The matrix.
    B : array of shape (n_rows, n_targets)
        Right-hand sides.
    alpha : float, default=0.0
        Ridge.
    """
    U, s, Vt = np.linalg.svd(A.astype(np.float64), full_matrices=False)
    kept = s > relative_cutoff(None, A.shape, A.dtype) * s[:1].max(initial=0.0)
    largest = s[0] if len(s) and s[0] > 0 else 1.0
    relative = np.where(kept, s / largest, 0.0)
    ridge = alpha / largest / largest
    inverse = np.divide(relative, relative**2 + ridge, out=np.zeros_like(s), where=kept)
    W: Array = Vt.T @ (inverse[:, None] * (U.T @ B)) / largest
    return W


def excess(A: Array, B: Array, W: Array, reference: Array) -> tuple[Array, Array, Array]:
    """Measure a solution by numbers that conditioning does not blur.

    Parameters
    ----------
    A, B, W : array
        The problem and the solution.
    reference : array
        A reference solution.

    Returns
    -------
    residual : array of shape (n_targets,)
        Growth of the residual norm over the reference's, relative to the norm of B.
    norm : array of shape (n_targets,)
        Norm of the solution over that of the reference (1 where both are zero).
    sensitivity : array of shape (n_targets,)
        ``max(1, ||A|| ||w|| / ||b||)``: a backward stable solver lets the residual grow by
        a modest multiple of eps times this.
    """
    A = A.astype(np.float64)
    largest = float(np.abs(A).max(initial=0.0)) or 1.0
    size = np.linalg.norm(B / largest, axis=0)
    size = np.where(size > 0, size, 1.0)
    grown = np.linalg.norm((B - A @ W) / largest, axis=0)
    grown -= np.linalg.norm((B - A @ reference) / largest, axis=0)
    lengths, wanted = np.linalg.norm(W, axis=0), np.linalg.norm(reference, axis=0)
    ratio = np.where(lengths == wanted, 1.0, lengths / np.where(wanted > 0, wanted, 1.0))
    longest = np.maximum(lengths, wanted)
    sensitivity = np.maximum(1.0, np.linalg.norm(A / largest, 2) * longest / size)
    return grown / size, ratio, sensitivity
