"""
Layers with few channels between them
=====================================

A network of several layers in which only few channels pass from one to the next, and of which only
the outer weights are fitted: every layer is a linear combination of fixed functions of what came
before. Its steps are linear least squares, and its Jacobian is never formed.
"""

# %%
# A function with detail in a twenty-fifth of its domain.

import numpy as np

from solvenet.structured import grow_mmnn, random_mmnn, solve_mmnn


def local(x):
    return np.where(np.abs(x) < 0.04, np.sin(25 * np.pi * x), 0.0)


x = np.linspace(-1, 1, 600)
y = local(x)
network = random_mmnn(10, 3, 5, activation="tanh", fixed=False)
result = solve_mmnn(network, x, y, method="lm", max_steps=120)
print(result.ending.name, f"mean squared error {result.mse:.1e}, {result.seconds:.1f} s")

# %%
# Training as a film strip: the same fit after so many steps, and its error.

from solvenet.plots import plot_channels, plot_error_map, plot_film_strip

moments = {
    steps: solve_mmnn(network, x, y, method="lm", max_steps=steps).network for steps in (2, 20, 60)
}
plot_film_strip(moments, local)

# %%
# What its layers do: the channels of each layer as functions of x. Layer by layer they stretch the
# middle of the domain, where the detail is.

plot_channels(result.network)

# %%
# One solved layer of sampled units, of as many numbers. On smooth functions of one variable it is
# the better of the two, and ``method="auto"`` says so; here it is not.

shallow = solve_mmnn(network, x, y, method="shallow")
test = np.linspace(-1, 1, 10_001)
for name, model in {"structured": result, "shallow": shallow}.items():
    mse = np.mean((model(test) - local(test)) ** 2)
    print(f"{name:10s} {model.n_parameters} numbers, test {mse:.1e}")
plot_error_map(result, local, n_inputs=1)

# %%
# How large? Networks grow until no mode of the residual falls any more.

growth = grow_mmnn(x, np.sin(12 * np.abs(x) ** 1.5), max_steps=30)
print("width, rank, depth", growth.size, "-", growth.reason)
for tried in growth.tried:
    print(
        f"{tried.width:4d} {tried.rank:2d} {tried.depth:2d} {tried.n_parameters:5d} {tried.mse:.1e}"
    )
