"""Block Gram-Schmidt with truncation."""

import numpy as np
import pytest

from solvenet.linalg.deflation import new_directions, project_out
from solvenet.linalg.rank import EPS


def orthonormal(rng, n_rows, n_cols):
    return np.linalg.qr(rng.standard_normal((n_rows, n_cols)))[0]


def test_projection_splits_the_columns(rng):
    Q = orthonormal(rng, 50, 7)
    A = rng.standard_normal((50, 4))
    left = A.copy()
    C = project_out([Q[:, :3], Q[:, 3:3], Q[:, 3:]], left)
    assert np.allclose(C, Q.T @ A)
    assert np.allclose(Q @ C + left, A)
    assert np.abs(Q.T @ left).max() < 20 * EPS
    assert project_out([], left).shape == (0, 4)


@pytest.mark.parametrize("cutoff", [1e-4, 1e-12, 1e-15])
def test_new_directions_are_orthogonal_whatever_the_cutoff(cutoff, rng):
    """What is left of a part is mostly rounding, in which the old span shows."""
    Q = orthonormal(rng, 200, 20)
    grades = np.geomspace(1, 1e-15, 30)
    A = Q @ rng.standard_normal((20, 30)) + orthonormal(rng, 200, 30) * grades
    left = A.copy()
    project_out([Q], left)
    U, V = new_directions([Q], left, cutoff)
    assert U.shape[1] == V.shape[1] == np.count_nonzero(np.linalg.svd(left)[1] > cutoff)
    both = np.hstack([Q, U])
    assert np.abs(both.T @ both - np.eye(both.shape[1])).max() < 50 * EPS
    # The used combinations are spanned to rounding, the others to the cutoff.
    used, rest = A @ V, A - both @ (both.T @ A)
    assert np.abs(used - both @ (both.T @ used)).max() < 200 * EPS
    assert np.linalg.norm(rest, 2) < cutoff + 200 * EPS


def test_nothing_new_gives_no_directions(rng):
    Q = orthonormal(rng, 40, 6)
    left = Q @ rng.standard_normal((6, 3))
    project_out([Q], left)
    U, V = new_directions([Q], left, 1e-12)
    assert U.shape == (40, 0)
    assert V.shape == (3, 0)
    assert new_directions([], np.zeros((40, 2)), 0.0)[0].shape == (40, 0)
