"""Leading singular triplets equal those of the full decomposition, above the cutoff."""

import numpy as np
import pytest

from solvenet.linalg.leading import largest_singular_value, leading_svd
from solvenet.testing import with_spectrum

RNG = np.random.default_rng(0)


def graded(m, n, decay):
    s = 10.0 ** (-decay * np.arange(min(m, n)) / min(m, n))
    return with_spectrum(RNG, (m, n), s), s


@pytest.mark.parametrize("shape", [(900, 300), (300, 900), (400, 400)])
@pytest.mark.parametrize("decay", [4, 20, 40, 80])
@pytest.mark.parametrize("cutoff", [1e-2, 1e-6, 1e-10, 1e-13])
def test_above_the_cutoff(shape, decay, cutoff):
    A, s = graded(*shape, decay)
    U, found, Vt = leading_svd(A, cutoff)
    k = int((s > cutoff).sum())
    assert len(found) >= k
    # Weyl: every value to rounding and to what the projection leaves out, squared.
    assert np.abs(found[:k] - s[:k]).max() < 0.01 * cutoff + 20 * np.finfo(float).eps
    assert np.abs(U.T @ U - np.eye(len(found))).max() < 1e-12
    assert np.abs(Vt @ Vt.T - np.eye(len(found))).max() < 1e-12
    left = np.linalg.norm(A - (U[:, :k] * found[:k]) @ Vt[:k], 2)
    assert left <= 1.05 * (s[k] if k < len(s) else 0) + 1e-14


def test_low_rank_is_found_without_a_full_decomposition(monkeypatch):
    """Of 600 directions 30 count: nothing larger than half of them is ever decomposed."""
    sizes = []
    import solvenet.linalg.leading as leading

    plain = leading.thin_svd
    monkeypatch.setattr(leading, "thin_svd", lambda A: sizes.append(min(A.shape)) or plain(A))
    A, _ = graded(1200, 600, 200)
    leading_svd(A, 1e-8)
    assert sizes
    assert max(sizes) < 300


@pytest.mark.parametrize("A", [np.zeros((300, 200)), np.ones((300, 200)), np.eye(300)])
def test_degenerate(A):
    U, s, Vt = leading_svd(A, 1e-8)
    assert np.allclose((U * s) @ Vt, A, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-150, 1.0, 1e150])
def test_largest(scale):
    A, s = graded(200, 50, 6)
    assert np.isclose(largest_singular_value(scale * A), scale * s[0], rtol=0.02)
    assert largest_singular_value(np.zeros((3, 2))) == 0.0
