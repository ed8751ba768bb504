"""
Does it work with 500 tasks?
============================

Five hundred sensors, each with its own small history: 4 to 20 rows. Nobody tunes five hundred
models by hand, and most of them could not be tuned on so few rows. How long does one model for all
take, and where does it win?
"""

import time
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import RidgeCV

from sk_mtl import MultiTaskAlignedRegressor, MultiTaskAlignedRegressorCV

# %%
# The tasks
# ---------
#
# 10 features. A sensor's coefficients are those of its kind, of which there are three, plus some of
# its own.

N_TASKS, N_FEATURES, N_TEST = 500, 10, 20
rng = np.random.default_rng(0)
kind = rng.integers(0, 3, N_TASKS)
coefficients = rng.standard_normal((3, N_FEATURES))[kind]
coefficients += 0.3 * rng.standard_normal((N_TASKS, N_FEATURES))
rows_of = rng.integers(4, 21, N_TASKS)


def draw(sizes):
    task = np.repeat(np.arange(N_TASKS), sizes)
    X = rng.standard_normal((len(task), N_FEATURES))
    level = 10.0 * kind[task]
    y = (X * coefficients[task]).sum(axis=1) + level + rng.standard_normal(len(task))
    return np.column_stack([X, task]), y


X, y = draw(rows_of)
X_test, y_test = draw(N_TEST)
print(f"{len(X)} rows of {N_TASKS} tasks, {np.median(rows_of):.0f} in the median task")

# %%
# The models
# ----------

PENALTIES = np.logspace(-1, 3, 9)


def ridge_per_task():
    predicted = np.empty(len(y_test))
    for t in range(N_TASKS):
        own, asked = X[:, -1] == t, X_test[:, -1] == t
        model = RidgeCV(PENALTIES).fit(X[own, :-1], y[own])
        predicted[asked] = model.predict(X_test[asked, :-1])
    return predicted


def ridge_pooled():
    """One for all, on targets without their task's mean."""
    means = np.bincount(X[:, -1].astype(int), y) / rows_of
    model = RidgeCV(PENALTIES).fit(X[:, :-1], y - means[X[:, -1].astype(int)])
    return model.predict(X_test[:, :-1]) + means[X_test[:, -1].astype(int)]


def linear():
    """One linear network, with the default penalties."""
    model = MultiTaskAlignedRegressor(
        task_column=-1, hidden_layer_sizes=(), alignment=None, random_state=0
    )
    return model.fit(X, y).predict(X_test)


def tuned():
    """The average of linear models that chooses by itself how much tasks share."""
    model = MultiTaskAlignedRegressorCV(task_column=-1, cv=None, random_state=0)
    return model.fit(X, y).predict(X_test)


METHODS = {
    "ridge, one per task": ridge_per_task,
    "ridge, pooled": ridge_pooled,
    "sk_mtl, defaults": linear,
    "sk_mtl, tunes itself": tuned,
}

# %%
# The comparison
# --------------
#
# Root mean squared errors; the noise alone has 1.

errors, seconds = {}, {}
for name, method in METHODS.items():
    started = time.perf_counter()
    squares = (method() - y_test) ** 2
    seconds[name] = time.perf_counter() - started
    errors[name] = squares.reshape(N_TASKS, N_TEST).mean(axis=1)

bounds = (4, 8, 12, 16, 21)
print(f"{'rows of the task':<24}" + "".join(f"{a:>6}-{b - 1:<3}" for a, b in pairwise(bounds)))
for name, of_task in errors.items():
    parts = [of_task[(rows_of >= a) & (rows_of < b)] for a, b in pairwise(bounds)]
    means = "".join(f"{part.mean() ** 0.5:10.2f}" for part in parts)
    print(f"{name:<24}{means}   {seconds[name]:5.1f} s")

# %%

fig, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
middles = [(a + b - 1) / 2 for a, b in pairwise(bounds)]
for (name, of_task), style in zip(errors.items(), ("s--", "D--", "o:", "o-"), strict=True):
    parts = [of_task[(rows_of >= a) & (rows_of < b)] for a, b in pairwise(bounds)]
    ax.plot(middles, [part.mean() ** 0.5 for part in parts], style, label=name)
ax.axhline(1, color="0.6", lw=1)
ax.text(middles[-1], 1.02, "the noise", color="0.4", ha="right", va="bottom")
ax.set(xlabel="rows of the task", ylabel="root mean squared error")
ax.legend(frameon=False)
plt.show()
