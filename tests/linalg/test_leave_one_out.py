"""Leave-one-out errors equal those of refitting without the row, in every regime."""

import numpy as np
import pytest

from solvenet.errors import UnsupportedProblemError
from solvenet.solvers import QR, SVD, NormalEquations, leave_one_out, loo_curve

RNG = np.random.default_rng(0)


def refitted(A, y, alpha, weights, intercept):
    """Leave out every row in turn, by the reference solver."""
    out = np.empty(y.shape)
    for i in range(len(y)):
        keep = np.arange(len(y)) != i
        w = weights.copy()
        if w[i] > 1:  # a row of weight w counts as w repetitions: one of them goes
            w[i] -= 1
            keep[:] = True
        fit = SVD().solve(A[keep], y[keep], alpha=alpha, intercept=intercept, weights=w[keep])
        out[i] = A[i] @ fit.coef + fit.intercept
    return out


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("weighted", ["no", "repetitions", "tiny"])
@pytest.mark.parametrize("shape", [(60, 8), (40, 40), (30, 80)])
@pytest.mark.parametrize("ratio", [1e-8, 1e-3, 1.0])
def test_equals_refitting(shape, weighted, intercept, ratio, rng):
    A = np.tanh(rng.standard_normal((shape[0], 3)) @ rng.standard_normal((3, shape[1])))
    y = rng.standard_normal(shape[0])
    weights = {
        "no": np.ones(shape[0]),
        "repetitions": rng.integers(1, 4, shape[0]).astype(float),
        "tiny": np.where(np.arange(shape[0]) % 3 == 0, 1e-6, 1.0),
    }[weighted]
    alpha = ratio * np.linalg.norm(A * np.sqrt(weights)[:, None], 2) ** 2
    truth = refitted(A, y, alpha, weights, intercept)
    for solver in (SVD(), QR(), NormalEquations(spectrum=True), NormalEquations(spectrum=False)):
        result = solver.solve(A, y, alpha=alpha, intercept=intercept, weights=weights)
        found = leave_one_out(A, y, result, weights=weights)
        # The Gram matrix squares the condition, which here is the root of 1 / ratio.
        exact = 1e-6 if isinstance(solver, NormalEquations) else 1e-9
        # Rounding in one minus the leverage is relative to one.
        close = 10 * exact / np.maximum(1 - found.leverages, 1e-8)
        assert (np.abs(found.predictions[:, 0] - truth) < close * (1 + np.abs(truth))).all()
        assert (found.leverages > -1e-9).all()
        assert (found.leverages < 1 + 1e-9).all()


def test_near_interpolation_does_not_cancel(rng):
    """More columns than rows and almost no ridge: e / (1 - h) is 0 / 0 by subtraction."""
    A = np.tanh(rng.standard_normal((50, 2)) @ rng.standard_normal((2, 60)) * 3)
    y = rng.standard_normal(50)
    result = SVD().solve(A, y, alpha="auto", intercept=True)
    curve = result.curve
    for k in range(0, len(curve.values), 6):
        truth = refitted(A, y, curve.values[k], np.ones(50), True)
        score = ((y - truth) ** 2).sum() / ((y - y.mean()) ** 2).sum()
        assert curve.scores[k] == pytest.approx(score, rel=1e-6)


def test_duplicate_rows_and_an_intercept(rng):
    """Singular vectors of rounding noise must not contain the constant."""
    A = np.tanh(rng.standard_normal((40, 2)) @ rng.standard_normal((2, 70)))
    A[20:] = A[:20]
    y = rng.standard_normal(40)
    result = SVD().solve(A, y, alpha="auto", intercept=True)
    alpha = result.curve.values[len(result.curve.values) // 3]
    truth = refitted(A, y, alpha, np.ones(40), True)
    score = ((y - truth) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    found = result.curve.scores[len(result.curve.values) // 3]
    assert found == pytest.approx(score, rel=1e-6)


@pytest.mark.parametrize("noise", [0.0, 1e-6, 1e-3, 0.3])
def test_the_choice_is_as_good_as_hindsight(noise, rng):
    points = rng.uniform(0, 1, (3000, 2))
    A = np.tanh(points @ rng.standard_normal((2, 200)) * 2 + rng.uniform(-2, 2, 200))
    truth = np.sin(points.sum(axis=1))
    y = truth + noise * rng.standard_normal(3000)
    train, test = slice(0, 2000), slice(2000, None)
    errors = []
    for alpha in ("auto", *(10.0 ** np.arange(-24, 3, 1))):
        fit = QR().solve(A[train], y[train], alpha=alpha, intercept=True)
        errors.append(np.sqrt(np.mean((A[test] @ fit.coef + fit.intercept - truth[test]) ** 2)))
    assert errors[0] < 1.3 * min(errors[1:])


def test_high_leverage_rows_ask_for_more_ridge(rng):
    """GCV averages leverages and misses this; leave-one-out does not."""
    n = 400
    A = 0.1 * rng.standard_normal((n, 120))
    A[:100, :100] += np.diag(np.full(100, 1.0))  # a hundred rows with a column of their own
    y = A[:, 100:] @ rng.standard_normal(20) + 0.5 * rng.standard_normal(n)
    result = QR().solve(A, y, alpha="auto")
    leverage = leave_one_out(A, y, result).leverages
    assert leverage.max() < 0.9
    assert result.alpha > 1e-3 * np.linalg.norm(A, 2) ** 2


def test_the_curve_over_all_rows_is_the_solvers_own_on_few(rng):
    A, y = rng.standard_normal((80, 10)), rng.standard_normal(80)
    result = QR().solve(A, y, alpha="auto", intercept=True)
    curve = loo_curve(A, y, result)
    assert np.allclose(curve.values, result.curve.values)
    assert np.allclose(curve.scores, result.curve.scores)
    assert curve.value == pytest.approx(result.alpha, rel=1e-12)
    assert curve.n_rows == 80


def test_a_curve_needs_a_spectrum(rng):
    A, y = rng.standard_normal((80, 10)), rng.standard_normal(80)
    result = NormalEquations(spectrum=False).solve(A, y, alpha=1.0)
    with pytest.raises(UnsupportedProblemError, match="kept no spectrum"):
        loo_curve(A, y, result)
