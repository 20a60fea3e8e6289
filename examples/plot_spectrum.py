"""
Why the cutoff sets the error
=============================

The features of a smooth problem are nearly linearly dependent. How small a singular value is
still used decides the error, more than the number of units does.
"""

# %%
# A smooth function of two variables and a network that is much wider than the function needs.

import matplotlib.pyplot as plt
import numpy as np

from solvenet import SampledNetworkRegressor

rng = np.random.default_rng(0)
X, X_test = rng.random((2000, 2)), 0.05 + 0.9 * rng.random((500, 2))
y, y_test = np.sin(X.sum(axis=1)), np.sin(X_test.sum(axis=1))
model = SampledNetworkRegressor(600, random_state=0).fit(X, y)
print(f"largest test error: {np.abs(model.predict(X_test) - y_test).max():.1e}")
print(model.result_.summary())

# %%
# The singular values of the features fall by sixteen decades. The ridge that leave-one-out chose
# keeps far smaller ones than a Gram matrix would resolve (1e-7 of the largest).

from solvenet.plots import plot_spectrum

plot_spectrum(model.result_)

# %%
# The same features with larger cutoffs: the error follows the cutoff.

cutoffs = 10.0 ** np.arange(-14, -1)
errors = [
    np.abs(
        SampledNetworkRegressor(600, alpha=0.0, rcond=rcond, solver="qr", random_state=0)
        .fit(X, y)
        .predict(X_test)
        - y_test
    ).max()
    for rcond in cutoffs
]
fig, ax = plt.subplots(layout="constrained")
ax.loglog(cutoffs, errors, "o-")
ax.set_xlabel("relative cutoff of the singular values")
ax.set_ylabel("largest test error")
