"""Inputs that say nothing are left out, where that helps."""

from __future__ import annotations

import numpy as np

from solvenet.features import get_activation
from solvenet.features.rows import row_set
from solvenet.features.scaling import scale_inputs
from solvenet.features.screening import informative, screen_inputs

TANH = get_activation("tanh")


def screened(X, Y, seed=0):
    scaling = scale_inputs(X, None, "columns", clip=True)
    rows = row_set(X, Y, inputs=scaling)
    return scaling, screen_inputs(scaling, X, Y, rows, TANH, seed)


def test_chance_keeps_few_and_every_relation_is_seen():
    rng = np.random.default_rng(0)
    Z = rng.standard_normal((1000, 400))
    T = np.sign(Z[:, :1]) + Z[:, 1:2] ** 2 + 0.5 * rng.standard_normal((1000, 1))
    kept = informative(Z, T, np.ones(1000))
    assert kept[:2].all()
    assert kept[2:].mean() < 0.02


def test_weights_are_repetitions():
    rng = np.random.default_rng(1)
    Z = rng.standard_normal((80, 50)).round(1)
    T = Z[:, :1] + rng.standard_normal((80, 1))
    times = rng.integers(1, 5, 80)
    again = np.repeat(np.arange(80), times)
    once = informative(Z, T, times.astype(float))
    assert (once == informative(Z[again], T[again], np.ones(len(again)))).all()


def test_noise_columns_are_left_out_and_network_and_inputs_do_not_see_them():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((500, 100))
    Y = np.abs(X[:, :1]) + np.abs(X[:, 1:2])
    before, after = screened(X, Y)
    gone = after.factor == 0
    assert not gone[:2].any()
    assert gone.sum() > 90
    assert (before.factor > 0).all()
    assert (after(X)[:, gone] == 0).all()
    assert (after.straight(X)[:, gone] == 0).all()


def test_inputs_that_matter_only_together_stay():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((2000, 60))
    X[:, 2] = rng.standard_normal(2000)
    together = np.sign(X[:, 0] * X[:, 1])
    Y = (3 * together + X[:, 2])[:, None]
    Z = scale_inputs(X, None, "columns", clip=True)(X)
    assert not informative(Z, Y, np.ones(2000))[:2].any()  # marginally nothing


def test_few_or_informative_inputs_are_not_screened():
    rng = np.random.default_rng(4)
    X = rng.standard_normal((300, 20))
    before, after = screened(X, X[:, :1])
    assert after is before
    X = rng.standard_normal((300, 60))
    before, after = screened(X, X.sum(axis=1, keepdims=True))
    assert after is before or (after.factor > 0).sum() > 0
    before, after = screened(X, np.ones((300, 1)))  # constant target
    assert after is before
