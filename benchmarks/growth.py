"""Growing a network from its residual against sampling all units at once.

    python benchmarks/growth.py [--seeds 3] [--rows 5000] [--units 1000] [--step 100]

f(x, y) = sin(a (x + y)) on the unit square, tanh units sampled by SWIM on the raw inputs;
mean absolute error at as many fresh points. Wanted: at equal width and cutoff, growth at
least as accurate as the truncated SVD of all units at once.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from solvenet import SVD, SWIM, DeflatedSplit
from solvenet.blocks import MappedBlocks, as_row_blocks
from solvenet.features import get_activation
from solvenet.growing import grow_network

CUTOFFS = (1e-8, 1e-10, 1e-12)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--units", type=int, default=1000)
    parser.add_argument("--step", type=int, default=100)
    options = parser.parse_args()
    worse = 0
    print(
        "  a  cutoff seed | grown (units, s)         leave-one-out | at once: SVD  deflated ordered"
        "  sorted"
    )
    for a in (1, 10):
        for rcond in CUTOFFS:
            for seed in range(options.seeds):
                rng = np.random.default_rng(seed)
                X, X_test = rng.random((2, options.rows, 2))
                y, truth = (np.sin(a * points.sum(axis=1)) for points in (X, X_test))
                start = time.perf_counter()
                growth = grow_network(
                    X,
                    y,
                    n_units_per_step=options.step,
                    max_units=options.units,
                    scaling=None,
                    rcond=rcond,
                    seed=seed,
                )
                seconds = time.perf_counter() - start
                grown = float(np.abs(growth.network(X_test)[:, 0] - truth).mean())
                loo = growth.result.curve.score**0.5 * y.std()
                layer = SWIM().sample(
                    X, y[:, None], options.units, activation=get_activation("tanh"), seed=seed
                )
                H, H_test = MappedBlocks(as_row_blocks(X), layer, options.units), layer(X_test)
                k = -(-options.units // options.step)
                errors = []
                for solver in (SVD(), DeflatedSplit(k, "ordered"), DeflatedSplit(k, "sorted")):
                    found = solver.solve(H, y, rcond=rcond, intercept=True, audit="skip")
                    errors.append(np.abs(H_test @ found.coef + found.intercept - truth).mean())
                worse += grown > errors[0]
                print(
                    f"{a:3d} {rcond:.1e} {seed:4d} | {grown:.1e} ({growth.result.curve.value:.0f}, "
                    f"{seconds:.1f} s) {loo:18.1e} |      {errors[0]:.1e}  {errors[1]:.1e}"
                    f"           {errors[2]:.1e}",
                    flush=True,
                )
    print(f"\nless accurate than all at once: {worse} of {2 * len(CUTOFFS) * options.seeds}")
    raise SystemExit(int(worse > 0))


if __name__ == "__main__":
    main()
