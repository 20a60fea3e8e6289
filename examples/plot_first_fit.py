"""
A first fit
===========

A table that ships with scikit-learn, a network that is solved, and what it says of itself.
"""

# %%
# Nothing is tuned: inputs are scaled inside, and the ridge is chosen by leave-one-out.

from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from solvenet import SampledNetworkRegressor

X, y = load_diabetes(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
model = SampledNetworkRegressor(random_state=0).fit(X_train, y_train)
print(f"R^2 on the test part: {model.score(X_test, y_test):.3f}")
print(model.result_.summary())

# %%
# Predictions come with the standard deviation of a new observation: the noise of the targets
# and the uncertainty of the read-out.

from solvenet.plots import plot_predictions

mean, std = model.predict(X_test, return_std=True)
plot_predictions(y_test, mean, std)

# %%
# The leave-one-out error for every ridge that was tried, with the choice. On so noisy a table a
# large ridge is right: few effective parameters are left of a few hundred units.

from solvenet.plots import plot_selection

plot_selection(model.result_.curve)
