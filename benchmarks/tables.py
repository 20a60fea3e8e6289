"""Defaults on real tables against logistic regression and ridge: nowhere far below.

    python benchmarks/tables.py DATA [--splits 5] [--output tables.csv]

DATA holds ``classification/*.parquet`` and ``regression/*.parquet`` with a column
``target``. Tables are subsampled to 10,000 rows and split 80/20; categories and missing
values go through ``TableEncoder`` for both models, the linear model gets standardised
columns. Accuracy or R^2 of both is the mean over the splits (seeds 0, 1, ...), because a
test set of 42 rows decides by single rows; the difference on the first split alone stands
beside it.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from solvenet import SampledNetworkClassifier, SampledNetworkRegressor
from solvenet.estimators.tables import TableEncoder
from solvenet.tables import read_table

MOST_ROWS = 10_000
ALLOWED = 0.02


def load(path: Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    table = read_table(path)
    n_rows = len(table["target"])
    if n_rows > MOST_ROWS:
        rows = np.random.default_rng(0).permutation(n_rows)[:MOST_ROWS]
        table = {name: column[rows] for name, column in table.items()}
    return table, table.pop("target")


def one_split(table, target, seed: int, *, classify: bool) -> tuple[float, float, float]:
    """Return the linear model's score, ours, and our seconds."""
    every_class_twice = classify and np.unique(target, return_counts=True)[1].min() > 1
    stratify = target if every_class_twice else None
    train, test = train_test_split(
        np.arange(len(target)), test_size=0.2, random_state=seed, stratify=stratify
    )
    encoder = TableEncoder()
    X = encoder.fit_transform({name: column[train] for name, column in table.items()})
    X_test = encoder.transform({name: column[test] for name, column in table.items()})
    if classify:
        linear = LogisticRegression(max_iter=5000)
        model = SampledNetworkClassifier(random_state=seed)
    else:
        linear = RidgeCV(np.logspace(-3, 4, 15))
        model = SampledNetworkRegressor(random_state=seed)
    linear = make_pipeline(StandardScaler(), linear).fit(X, target[train])
    start = time.perf_counter()
    model.fit(X, target[train])
    seconds = time.perf_counter() - start
    return (
        linear.score(X_test, target[test]),
        model.score(X_test, target[test]),
        seconds,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    rows = []
    for kind in ("classification", "regression"):
        for path in sorted((options.data / kind).glob("*.parquet")):
            table, target = load(path)
            classify = kind == "classification"
            if classify:
                target = target.astype(str)
            scores = np.array(
                [one_split(table, target, s, classify=classify) for s in range(options.splits)]
            )
            linear, ours, seconds = scores.mean(axis=0)
            first = scores[0, 1] - scores[0, 0]
            row = (kind, path.stem, len(target), linear, ours, ours - linear, first, seconds)
            rows.append(row)
            mark = "  <-- more than 0.02 below" if ours - linear < -ALLOWED else ""
            print(
                f"{kind:14s} {path.stem:40s} n={len(target):6d} linear {linear:.4f} solvenet "
                f"{ours:.4f} difference {ours - linear:+.4f} (first split {first:+.4f}) "
                f"{seconds:.2f} s{mark}",
                flush=True,
            )
    if options.output:
        with options.output.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(
                ["kind", "table", "rows", "linear", "solvenet", "difference", "first", "seconds"]
            )
            writer.writerows(rows)
    differences = np.array([row[5] for row in rows])
    below = int((differences < -ALLOWED).sum())
    print(
        f"\n{len(rows)} tables, no failure; worst difference {differences.min():+.4f}, mean "
        f"{differences.mean():+.4f}; {below} more than {ALLOWED} below the linear model"
    )
    raise SystemExit(below > 0)


if __name__ == "__main__":
    main()
