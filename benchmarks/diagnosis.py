"""How long a diagnosis takes beside the fit that it is of, on real tables.

    python benchmarks/diagnosis.py DATA [--repeats 3]

DATA holds ``classification/*.parquet`` and ``regression/*.parquet`` with a column ``target``;
at most 10,000 rows of each are taken. Fit and diagnosis run in turns; printed are their
medians, the ratio and what the diagnosis names as cause. Wanted: at most 10 % of the fit on
every table with a fit of at least 20 ms, below which Python itself is what is measured. Exits
with 1 where one takes more.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from tables import load

from solvenet import SampledNetworkClassifier, SampledNetworkRegressor, diagnose
from solvenet.estimators.tables import TableEncoder

WANTED, SHORTEST = 0.10, 0.020


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    causes, ratios, slow = Counter(), [], 0
    for kind, estimator in (
        ("classification", SampledNetworkClassifier),
        ("regression", SampledNetworkRegressor),
    ):
        for path in sorted((options.data / kind).glob("*.parquet")):
            table, y = load(path)
            X = TableEncoder().fit_transform(table)
            fits, diagnoses = [], []
            for _ in range(options.repeats):
                start = time.perf_counter()
                model = estimator(random_state=0).fit(X, y)
                middle = time.perf_counter()
                found = diagnose(model, X, y)
                fits.append(middle - start)
                diagnoses.append(time.perf_counter() - middle)
            fit, diagnosis = np.median(fits), np.median(diagnoses)
            judged = fit >= SHORTEST
            slow += judged and diagnosis > WANTED * fit
            ratios.append(diagnosis / fit)
            causes[found.cause] += 1
            print(
                f"{path.stem:40} {X.shape[0]:6} x {X.shape[1]:4}  fit {fit:7.3f} s  diagnosis "
                f"{1000 * diagnosis:6.1f} ms  {diagnosis / fit:6.1%}{'' if judged else ' (short)'}"
                f"  {found.cause}"
            )
    print(f"\nmedian {np.median(ratios):.1%}, largest {max(ratios):.1%}; causes {dict(causes)}")
    verdict = "MISSED" if slow else "reached"
    print(f"target {verdict}: {slow} tables take more than {WANTED:.0%} of the fit, wanted 0")
    raise SystemExit(bool(slow))


if __name__ == "__main__":
    main()
