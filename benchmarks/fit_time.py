"""Fit time and test error against swimnetworks, in one run, interleaved.

    pip install swimnetworks==0.0.2
    python benchmarks/fit_time.py [--repeats 5] [--noise 0.1] [--sampler swim]

20,000 rows of 10 inputs, one layer of tanh units of widths 250 ... 2000, the same pairs in both
libraries (swimnetworks: tanh weights, its linear layer with its default cutoff);
``--sampler auto`` takes our default instead, which learns a metric first. Printed
are medians, the ratio of the medians, and our time as a multiple of one product A'A of the
same size, which no solver of the normal equations can beat. Memory is measured in fresh
processes by ``benchmarks/memory.py``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from sklearn.pipeline import Pipeline
from swimnetworks import Dense, Linear

from solvenet import SampledNetworkRegressor


def target(X: np.ndarray) -> np.ndarray:
    """Friedman's first function: smooth, with an interaction and five useless inputs."""
    return (
        10 * np.sin(np.pi * X[:, 0] * X[:, 1])
        + 20 * (X[:, 2] - 0.5) ** 2
        + 10 * X[:, 3]
        + 5 * X[:, 4]
    )


def seconds(work: Callable[[], object]) -> tuple[float, object]:
    # Threads of the BLAS that ran before spin for a while before they sleep; each work
    # starts on an idle machine.
    time.sleep(0.3)
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--noise", type=float, default=0.1)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--sampler", default="swim")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 1, (options.rows, 10))
    y = target(X) + options.noise * rng.standard_normal(options.rows)
    test = rng.uniform(0, 1, (5000, 10))
    truth = target(test)

    print(f"{options.rows} rows x 10, noise {options.noise}, median of {options.repeats}")
    print("width | solvenet s | swimnetworks s | ratio | rmse solvenet | rmse swim | x of one A'A")
    for width in (250, 500, 1000, 2000):
        ours, theirs, products = [], [], []
        H = rng.standard_normal((options.rows, width))
        for repeat in range(options.repeats + 1):
            model = SampledNetworkRegressor(width, sampler=options.sampler, random_state=repeat)
            spent, _ = seconds(lambda model=model: model.fit(X, y))
            peer = Pipeline(
                [
                    (
                        "dense",
                        Dense(
                            layer_width=width,
                            activation="tanh",
                            parameter_sampler="tanh",
                            random_seed=repeat,
                        ),
                    ),
                    ("linear", Linear()),
                ]
            )
            spent_peer, _ = seconds(lambda peer=peer: peer.fit(X, y[:, None]))
            product, _ = seconds(lambda H=H: H.T @ H)
            if repeat > 0:  # the first round warms up
                ours.append(spent)
                theirs.append(spent_peer)
                products.append(product)
        error, error_peer = (
            float(np.sqrt(np.mean((p - truth) ** 2)))
            for p in (model.predict(test), peer.transform(test)[:, 0])
        )
        t, t_peer, t_product = (float(np.median(x)) for x in (ours, theirs, products))
        print(
            f"{width:5d} | {t:10.3f} | {t_peer:14.3f} | {t_peer / t:5.1f} | {error:13.4f} | "
            f"{error_peer:9.4f} | {t / t_product:6.2f}   {model.result_.solver}",
            flush=True,
        )


if __name__ == "__main__":
    main()
