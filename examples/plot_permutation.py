"""
A network whose weights are only rearranged
===========================================

The output weights are given before any data are seen. What is solved for is their order, and two
numbers: scale and shift. Plus and minus one are enough.
"""

# %%
# Forty kinks, equally spaced, with two units each; eighty values from -1 to 1 in equal steps.

import numpy as np

from solvenet.permutation import (
    PermutationProblem,
    equidistant,
    few_levels,
    relu_pairs,
    solve_permutation,
    storage_size,
)

x = np.linspace(-1, 1, 800)
y = -np.sin(2 * np.pi * x)
units = relu_pairs(np.linspace(-1, 1, 40))
problem = PermutationProblem(units, equidistant(80), x, y)
result = solve_permutation(problem)
print(f"largest error {result.max_error:.1e}, scale {result.gamma:.2f}")

# %%
# The network, and where it bends. Published training by gradient steps ends at an error of 0.3.

import matplotlib.pyplot as plt

from solvenet.plots import plot_approximation, plot_kinks, plot_permutation, plot_rate

fig, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
plot_approximation(result, problem, ax=axes[0])
plot_kinks(result, ax=axes[1])

# %%
# Which value went where: neighbours take values that cancel, and what is left over bends the line.

plot_permutation(result)

# %%
# With two values only, every weight is one bit. The rate stays.

sizes = [10, 20, 40, 80]
errors = {"equal steps": [], "plus and minus one": []}
for n in sizes:
    units = relu_pairs(np.linspace(-1, 1, n))
    for name, values in zip(errors, (equidistant(2 * n), few_levels(2 * n)), strict=True):
        errors[name].append(solve_permutation(PermutationProblem(units, values, x, y)).max_error)
plot_rate(sizes, errors)
for values in (equidistant(160), few_levels(160)):
    print(f"{storage_size(values).bits_per_weight:.2f} bits a weight")
