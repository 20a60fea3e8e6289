"""MNIST seen through one wide layer: the published figure of errors against neurons.

70,000 images of 28 x 28 pixels / 255, split at random into 63,000 and 7000; tanh neurons
sampled by SWIM on the raw pixels, class indicators as targets, no intercept. As published, the
matrix lies on disk as float64 and is solved by LSRN with a relative cutoff of 1e-5. Ours is the
classifier with its defaults, which never holds the matrix.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common.records import Row

from solvenet import LSRN, SWIM, NormalEquations, SampledNetworkClassifier
from solvenet.features import get_activation

CUTOFF = 1e-5
TEST_SHARE = 0.1
ROWS = 1000


@dataclass(frozen=True)
class Images:
    """Pixels and classes, split."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


def load_images(path: Path | None, *, quick: bool = False) -> Images:
    """Return MNIST from an npz file or OpenML; scikit-learn's small digits to be quick."""
    if quick:
        from sklearn.datasets import load_digits

        X, y = load_digits(return_X_y=True)
    elif path is None:
        from sklearn.datasets import fetch_openml

        X, y = fetch_openml("mnist_784", version=1, return_X_y=True, as_frame=False)
    else:
        with np.load(path) as file:
            X = np.concatenate([file["x_train"], file["x_test"]])
            y = np.concatenate([file["y_train"], file["y_test"]])
    X, y = X.reshape(len(X), -1) / np.float64(X.max()), y.astype(int)
    order = np.random.default_rng(0).permutation(len(X))
    test, train = np.split(order, [round(TEST_SHARE * len(X))])
    return Images(X[train], y[train], X[test], y[test])


def mnist(images: Images, direct: tuple[int, ...], ours: tuple[int, ...]) -> Iterator[Row]:
    """Yield errors and seconds; x is the number of neurons.

    `direct` are the widths for LSRN as published, and for the truncated SVD of the same
    matrix by its Gram matrix; `ours` those for the defaults.
    """
    for width in direct:
        yield from on_disk(images, width)
    for width in ours:
        start = time.perf_counter()
        model = SampledNetworkClassifier(width, random_state=0).fit(images.X, images.y)
        seconds = time.perf_counter() - start
        yield from measured(images, "default", width, seconds, model.predict)


def on_disk(images: Images, width: int) -> Iterator[Row]:
    """Yield the numbers of one matrix in a file, solved as published."""
    Y = np.eye(images.y.max() + 1)[images.y]
    layer = SWIM().sample(images.X, Y, width, activation=get_activation("tanh"))
    with tempfile.TemporaryDirectory() as folder:
        shape = (len(Y), layer.n_features_out)
        path = Path(folder) / "A.npy"
        A = np.lib.format.open_memmap(path, "w+", dtype=np.float64, shape=shape)
        for start in range(0, len(A), ROWS):
            A[start : start + ROWS] = layer(images.X[start : start + ROWS])
        A.flush()
        A = np.load(path, mmap_mode="r")
        for item, solver in {"LSRN": LSRN(), "truncated SVD": NormalEquations()}.items():
            start = time.perf_counter()
            coef = solver.solve(A, Y, rcond=CUTOFF, alpha=0.0).coef
            seconds = time.perf_counter() - start

            def classes(X: np.ndarray, coef: np.ndarray = coef) -> np.ndarray:
                parts = np.split(X, range(ROWS, len(X), ROWS))
                return np.concatenate([(layer(part) @ coef).argmax(axis=1) for part in parts])

            yield from measured(images, item, width, seconds, classes)


def measured(images: Images, item: str, width: int, seconds: float, predict) -> Iterator[Row]:
    """Yield time and misclassification of one model."""
    errors = {
        "train_error": (predict(images.X) != images.y).mean(),
        "test_error": (predict(images.X_test) != images.y_test).mean(),
    }
    print(f"  {item}, {width} neurons: {seconds:.0f} s, {errors}", flush=True)
    yield Row(item, width, 0, "seconds", seconds)
    for quantity, error in errors.items():
        yield Row(item, width, 0, quantity, float(error))
