"""
Can rows of a similar task do harm?
===================================

Two tasks may have nearly the same coefficients, and still not help each other: Fig. 3 of the paper.
A source task has many rows, a target task has ten. What matters is whether their features vary in
the same directions.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LinearRegression, RidgeCV

from sk_mtl import MultiTaskAlignedRegressor
from sk_mtl.datasets import make_covariance_tasks

# %%
# The tasks
# ---------
#
# 100 features; the coefficients of source and target have a cosine of 0.96. Three sources: one
# whose features vary in the target's directions, one with other strong coordinates, one that is
# rotated.

SOURCES = {
    "same covariance": {},
    "other strong coordinates": {"overlap": 0},
    "another rotation": {"same_rotation": False},
}
ROWS = (20, 50, 100, 200, 400, 1000)
DRAWS = range(8)


def change(n_source, seed, params, kind):
    """Change of the target's error by the source's rows, as a share of its variance."""
    X, y, task = make_covariance_tasks(n_samples=(n_source, 1010), random_state=seed, **params)
    source, target = (np.flatnonzero(task == t) for t in (0, 1))
    few, new = target[:10], target[10:]
    both = np.r_[source, few]
    with_source = MODELS[kind](X[both], y[both], task[both], X[new])
    without = LinearRegression(fit_intercept=False).fit(X[few], y[few]).predict(X[new])
    squares = [np.mean((guess - y[new]) ** 2) for guess in (with_source, without)]
    return (squares[0] - squares[1]) / y[new].var()


# %%
# The models
# ----------
#
# One least squares for both tasks, which is the paper's model at capacity 1 with a common head; one
# tuned ridge regression for both; and the linear estimator with its default penalties.


def least_squares(X, y, task, X_new):
    return LinearRegression(fit_intercept=False).fit(X, y).predict(X_new)


def ridge(X, y, task, X_new):
    return RidgeCV(np.logspace(0, 4, 9), fit_intercept=False).fit(X, y).predict(X_new)


def multi_task(X, y, task, X_new):
    model = MultiTaskAlignedRegressor(hidden_layer_sizes=(), alignment=None, random_state=0)
    return model.fit(X, y, task=task).predict(X_new, task=np.ones(len(X_new), dtype=int))


MODELS = {
    "one least squares": least_squares,
    "one ridge regression": ridge,
    "MultiTaskAlignedRegressor": multi_task,
}

# %%
# The comparison
# --------------
#
# All against least squares on the target's ten rows alone: below 0 the source helps, above it
# hurts. (Least squares is at its worst where there are as many rows as features.)

found = {
    (kind, name): [np.median([change(n, s, params, kind) for s in DRAWS]) for n in ROWS]
    for kind in MODELS
    for name, params in SOURCES.items()
}
print(f"{'rows of the source':<53}" + "".join(f"{n:>7}" for n in ROWS))
for (kind, name), values in found.items():
    print(f"{kind:<27}{name:<26}" + "".join(f"{value:+7.2f}" for value in values))

# %%

worst = {kind: max(max(found[kind, name][-2:]) for name in SOURCES) for kind in MODELS}
for kind, value in worst.items():
    verdict = "hurt by a source" if value > 0.02 else "not hurt by any source"
    print(f"with 400 rows or more, {kind} is {verdict} ({value:+.2f} at worst)")

# %%

fig, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained", sharey=True)
for ax, kind in zip(axes, MODELS, strict=True):
    for name, style in zip(SOURCES, ("o-", "s--", "D:"), strict=True):
        ax.plot(ROWS, found[kind, name], style, label=name)
    ax.axhline(0, color="0.6", lw=1)
    ax.set(title=kind, xscale="log", xlabel="rows of the source")
axes[0].set_ylim(-0.6, 0.8)
axes[0].set_ylabel("change of the target's error")
axes[0].legend(frameon=False)
plt.show()

# %%
# Ten rows are too few to tell that a source is another task. A tuned penalty repairs a good part of
# it, and the defaults need not be the right ones: the estimator measures each task in units of its
# own, and features in those of the source, which has nearly all rows.
# `SelectiveTransferRegressor` compares with a model of the target alone.
#
# Why sources hurt: the chapter on theory in the user guide.
