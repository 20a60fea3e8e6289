"""Defaults on real tables against the models that people use: accuracy, R^2, time.

    python benchmarks/peers.py DATA [--rows 3000] [--seeds 3] [--peers lightgbm forest ...]
                                    [--output peers.csv] [--resume]

DATA holds ``classification/*.parquet`` and ``regression/*.parquet`` with a column ``target``.
Of each at most ROWS training rows are taken (split 80/20, by class where each has two rows),
with three seeds. Everybody has default settings, two threads, and the same split. LightGBM
and CatBoost get categories as such; the others get what ``TableEncoder`` makes of the table,
the linear model and the MLP standardised. Fits of one split are run one after the other, so
that noise of the machine meets all. Peers that are not installed are named and left out.

Printed: mean score, mean rank (1 is best, ties share), share of tables where ours is better,
median ratio of fit times. With --output each fit is a line, and --resume goes on there.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import time
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.stats import rankdata
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from solvenet import SampledNetworkClassifier, SampledNetworkRegressor
from solvenet.estimators.tables import TableEncoder
from solvenet.tables import read_table

OURS = "solvenet"
COLUMNS = ("kind", "table", "seed", "model", "score", "log_loss", "fit_s", "predict_s")


def linear(classify, _):
    model = LogisticRegression(max_iter=2000) if classify else RidgeCV(np.logspace(-3, 4, 15))
    return make_pipeline(StandardScaler(), model)


def mlp(classify, seed):
    return make_pipeline(
        StandardScaler(), (MLPClassifier if classify else MLPRegressor)(random_state=seed)
    )


def forest(classify, seed):
    kind = RandomForestClassifier if classify else RandomForestRegressor
    return kind(random_state=seed, n_jobs=2)


def boosting(classify, seed):
    kind = HistGradientBoostingClassifier if classify else HistGradientBoostingRegressor
    return kind(random_state=seed)


def lightgbm(classify, seed):
    from lightgbm import LGBMClassifier, LGBMRegressor

    return (LGBMClassifier if classify else LGBMRegressor)(random_state=seed, n_jobs=2, verbose=-1)


def catboost(classify, seed):
    from catboost import CatBoostClassifier, CatBoostRegressor

    return (CatBoostClassifier if classify else CatBoostRegressor)(
        random_seed=seed, thread_count=2, verbose=False, allow_writing_files=False
    )


def solvenet(classify, seed):
    return (SampledNetworkClassifier if classify else SampledNetworkRegressor)(random_state=seed)


def random_features(classify, seed):
    kind = SampledNetworkClassifier if classify else SampledNetworkRegressor
    return kind(sampler="random", random_state=seed)


def plain_swim(classify, seed):
    kind = SampledNetworkClassifier if classify else SampledNetworkRegressor
    return kind(sampler="swim", random_state=seed)


class ExtremeLearningMachine:
    """1000 Gaussian sigmoid units on standardised inputs, least squares by pseudo-inverse."""

    def __init__(self, classify, seed):
        self.classify, self.seed = classify, seed

    def fit(self, X, y):
        rng = np.random.default_rng(self.seed)
        self.mean, self.spread = X.mean(axis=0), np.where(X.std(axis=0) > 0, X.std(axis=0), 1.0)
        self.W = rng.standard_normal((X.shape[1] + 1, 1000))
        Y = y
        if self.classify:
            self.classes_, codes = np.unique(y, return_inverse=True)
            Y = np.eye(len(self.classes_))[codes]
        self.coef = np.linalg.lstsq(self._hidden(X), Y, rcond=None)[0]
        return self

    def _hidden(self, X):
        Z = np.c_[(X - self.mean) / self.spread, np.ones(len(X))] @ self.W
        return 1.0 / (1.0 + np.exp(-np.clip(Z, -500, 500)))

    def predict(self, X):
        out = self._hidden(X) @ self.coef
        return self.classes_[out.argmax(axis=1)] if self.classify else out


def swimnetworks(classify, seed):
    return SwimNetworks(classify, seed)


class SwimNetworks:
    """One layer of 1000 tanh units of the library swimnetworks, on standardised inputs."""

    def __init__(self, classify, seed):
        self.classify, self.seed = classify, seed

    def fit(self, X, y):
        from swimnetworks import Dense, Linear

        self.scaler = StandardScaler().fit(X)
        Y = np.asarray(y, dtype=float)[:, None] if not self.classify else None
        if self.classify:
            self.classes_, codes = np.unique(y, return_inverse=True)
            Y = np.eye(len(self.classes_))[codes]
        self.model = make_pipeline(
            Dense(
                layer_width=min(1000, len(X)),
                activation="tanh",
                parameter_sampler="tanh",
                random_seed=self.seed,
            ),
            Linear(regularization_scale=1e-8),
        )
        self.model.fit(self.scaler.transform(X), Y)
        return self

    def predict(self, X):
        out = self.model.transform(self.scaler.transform(X))
        return self.classes_[out.argmax(axis=1)] if self.classify else out[:, 0]


PEERS = {
    "linear": linear,
    "mlp": mlp,
    "forest": forest,
    "hist_boosting": boosting,
    "lightgbm": lightgbm,
    "catboost": catboost,
    "swimnetworks": swimnetworks,
    "elm": ExtremeLearningMachine,
    "random_features": random_features,
    "plain_swim": plain_swim,
}
PACKAGES = {"lightgbm", "catboost", "swimnetworks"}
WITH_CATEGORIES = {"lightgbm", "catboost"}


def split(path: Path, classify: bool, rows: int, seed: int):
    """Return training and test parts of a table, and their targets."""
    table = read_table(path)
    n_rows, most = len(table["target"]), int(rows / 0.8)
    kept = np.arange(n_rows)
    if n_rows > most:
        kept = np.random.default_rng(seed).permutation(n_rows)[:most]
    table = {name: column[kept] for name, column in table.items()}
    target = table.pop("target")
    stratify = None
    if classify:
        target = target.astype(str)
        if np.unique(target, return_counts=True)[1].min() > 1:
            stratify = target
    parts = train_test_split(
        np.arange(len(target)), test_size=0.2, random_state=seed, stratify=stratify
    )
    return [({n: column[part] for n, column in table.items()}, target[part]) for part in parts]


def frames(train, test, name: str):
    """Return frames with categories, as LightGBM and CatBoost want them."""
    import pandas as pd

    columns: list[dict] = [{}, {}]
    categories = []
    for number, key in enumerate(train):
        label = f"c{number}"
        if train[key].dtype.kind in "OUSb":
            texts = [
                ["(missing)" if v is None or v != v else str(v) for v in part[key]]
                for part in (train, test)
            ]
            kind = pd.CategoricalDtype(sorted(set(texts[0])))
            categories.append(label)
            for column, text in zip(columns, texts, strict=True):
                values = pd.Series(text)
                column[label] = values if name == "catboost" else values.astype(kind)
        else:
            for column, part in zip(columns, (train, test), strict=True):
                column[label] = part[key]
    return *(pd.DataFrame(column) for column in columns), categories


def one_fit(name, classify, seed, data) -> tuple[float, float, float, float]:
    """Return score, log-loss (nan where there are no probabilities), fit and predict seconds."""
    (train, y), (test, wanted), X, X_test = data
    options = {}
    if name in WITH_CATEGORIES:
        X, X_test, categories = frames(train, test, name)
        if name == "catboost":
            options["cat_features"] = categories
    model = (solvenet if name == OURS else PEERS[name])(classify, seed)
    start = time.perf_counter()
    model.fit(X, y, **options)
    middle = time.perf_counter()
    predicted = np.asarray(model.predict(X_test)).ravel()
    end = time.perf_counter()
    loss = float("nan")
    if classify:
        score = float(np.mean(predicted == wanted))
        if hasattr(model, "predict_proba"):
            P = np.asarray(model.predict_proba(X_test))
            classes = list(model.classes_)
            at = np.array([classes.index(v) if v in classes else -1 for v in wanted])
            right = np.where(at >= 0, P[np.arange(len(P)), at], 0.0)
            loss = float(-np.log(np.clip(right, 1e-15, None)).mean())
    else:
        score = float(
            1.0 - ((wanted - predicted) ** 2).sum() / ((wanted - wanted.mean()) ** 2).sum()
        )
    return score, loss, middle - start, end - middle


def report(lines: list[dict]) -> None:
    """Print means, ranks, shares of wins and ratios of times."""
    by_table = defaultdict(lambda: defaultdict(list))
    for line in lines:
        key = (line["kind"], line["table"])
        by_table[key][line["model"]].append((float(line["score"]), float(line["fit_s"])))
    models = sorted({line["model"] for line in lines})
    scores = np.array(
        [
            [np.mean([s for s, _ in t[m]]) if t[m] else np.nan for m in models]
            for t in by_table.values()
        ]
    )
    times = np.array(
        [
            [np.mean([s for _, s in t[m]]) if t[m] else np.nan for m in models]
            for t in by_table.values()
        ]
    )
    whole = ~np.isnan(scores).any(axis=1)
    classify = np.array([kind == "classification" for kind, _ in by_table])
    ranks = np.full(scores.shape, np.nan)
    ranks[whole] = [rankdata(-row) for row in scores[whole]]
    ours = models.index(OURS)
    print(f"{int(whole.sum())} of {len(whole)} tables have all models\n")
    print(
        "| model | accuracy | R² | mean rank | ours better | fit, ours over theirs | fit, median |"
    )
    print("|---|---|---|---|---|---|---|")
    for at in np.argsort(np.nanmean(ranks, axis=0)):
        a, r = (
            scores[whole & classify, at].mean(),
            np.clip(scores[whole & ~classify, at], -1, 1).mean(),
        )
        wins = np.mean(scores[whole, ours] > scores[whole, at])
        ratio = np.median(times[whole, ours] / times[whole, at])
        same = at == ours
        print(
            f"| {models[at]} | {a:.4f} | {r:.4f} | {np.nanmean(ranks[:, at]):.2f} | "
            f"{'' if same else f'{wins:.0%}'} | {'' if same else f'{ratio:.2f}'} | "
            f"{np.median(times[whole, at]):.2f} s |"
        )
    print("\nR² below -1 counts as -1 in its mean.")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--output", type=Path)
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    absent = {p for p in PACKAGES & set(options.peers) if importlib.util.find_spec(p) is None}
    if absent:
        print(f"not installed, left out: {', '.join(sorted(absent))}")
    names = [OURS, *(p for p in options.peers if p not in absent)]
    lines: list[dict] = []
    if options.resume and options.output and options.output.exists():
        with options.output.open() as file:
            lines = list(csv.DictReader(file))
    done = {(line["kind"], line["table"], int(line["seed"]), line["model"]) for line in lines}
    for kind in ("classification", "regression"):
        for path in sorted((options.data / kind).glob("*.parquet")):
            for seed in range(options.seeds):
                wanted = [n for n in names if (kind, path.stem, seed, n) not in done]
                if not wanted:
                    continue
                train, test = split(path, kind == "classification", options.rows, seed)
                encoder = TableEncoder()
                data = (train, test, encoder.fit_transform(train[0]), encoder.transform(test[0]))
                for name in wanted:
                    found = one_fit(name, kind == "classification", seed, data)
                    lines.append(
                        dict(zip(COLUMNS, (kind, path.stem, seed, name, *found), strict=True))
                    )
            if options.output:
                temporary = options.output.with_suffix(".part")
                with temporary.open("w", newline="") as file:
                    writer = csv.DictWriter(file, COLUMNS)
                    writer.writeheader()
                    writer.writerows(lines)
                temporary.replace(options.output)
    report([line for line in lines if line["model"] in names])


if __name__ == "__main__":
    main()
