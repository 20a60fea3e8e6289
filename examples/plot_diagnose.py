"""
Ask why a network does not learn
================================

A ReLU network with 1000 units is to represent 20 waves. In float64, by the features themselves, it
does. Trained by gradient descent in float32, which sees the Gram matrix, it cannot.
"""

# %%
# Describe the network, give the data, and ask.

import numpy as np

from solvenet import NetworkSpec, diagnose
from solvenet.analysis import plan

x = np.linspace(-1, 1, 1000)
y = np.sin(20 * np.pi * x)

found = diagnose(NetworkSpec(width=1000, precision="float32", gram=True), x, y, tol=0.05)
print(found)

# %%
# The modes that are needed lie below what float32 leaves of the Gram matrix, and above what it
# leaves of the features.

from solvenet.plots import plot_reach

plot_reach(found)

# %%
# What would do? Every kind is tried in growing sizes.

print(plan(lambda t: np.sin(20 * np.pi * t), tol=1e-3, max_size=256))
