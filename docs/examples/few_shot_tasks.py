"""
How many rows does a task need?
===============================

Twelve machines wear out in similar, not in equal ways. Each has a few measured parts. Below how
many of them is it worth to learn from the other machines, and does it cost anything above?

Compared are ridge regressions, one per task and one for all with an offset per task, both tuned by
cross-validation, and `MultiTaskAlignedRegressor` with its defaults. As a control for the rest of
its recipe, it is also fitted to each task alone.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sk_mtl import MultiTaskAlignedRegressor
from sk_mtl.datasets import make_covariance_tasks

# %%
# The tasks
# ---------
#
# 20 features, some of which vary more than others, and the same ones in every task. The
# coefficients of any two tasks have a cosine of 0.8. The noise has half of the signal's standard
# deviation, so no model can explain more than 80 % of the variance.

N_TASKS, N_FEATURES, N_TEST = 12, 20, 200
SIZES = (5, 10, 20, 40, 80, 160)
DRAWS = range(3)


def draw(rows, seed):
    """Training and test rows; the last column is the task."""
    X, y, task = make_covariance_tasks(
        n_samples=[rows + N_TEST] * N_TASKS,
        n_features=N_FEATURES,
        condition_number=3,
        cosine=0.8,
        noise=0.5,
        random_state=seed,
    )
    X = np.column_stack([X, task])
    of_task = [np.flatnonzero(task == t) for t in range(N_TASKS)]
    train = np.concatenate([own[:rows] for own in of_task])
    test = np.concatenate([own[rows:] for own in of_task])
    return X[train], y[train], X[test], y[test]


# %%
# The models
# ----------

PENALTIES = np.logspace(-2, 4, 19)


def ridge_per_task(X, y, X_test):
    """A ridge regression for each task alone."""
    return one_by_one(lambda: RidgeCV(PENALTIES), X, y, X_test)


def ridge_pooled(X, y, X_test):
    """One for all, with an offset per task."""
    columns = make_column_transformer((OneHotEncoder(), [-1]), remainder="passthrough")
    return make_pipeline(columns, RidgeCV(PENALTIES)).fit(X, y).predict(X_test)


def multi_task(X, y, X_test):
    """Ours."""
    model = MultiTaskAlignedRegressor(task_column=-1, random_state=0)
    return model.fit(X, y).predict(X_test)


def multi_task_alone(X, y, X_test):
    """The control: the same recipe, nothing to share."""
    return one_by_one(lambda: MultiTaskAlignedRegressor(random_state=0), X, y, X_test)


def one_by_one(make, X, y, X_test):
    """Predictions of a model for each task."""
    predicted = np.empty(len(X_test))
    for t in range(N_TASKS):
        own, asked = X[:, -1] == t, X_test[:, -1] == t
        predicted[asked] = make().fit(X[own, :-1], y[own]).predict(X_test[asked, :-1])
    return predicted


METHODS = {
    "ridge, one per task": ridge_per_task,
    "ridge, pooled": ridge_pooled,
    "sk_mtl, each task alone": multi_task_alone,
    "sk_mtl, all tasks": multi_task,
}

# %%
# The comparison
# --------------
#
# The score is the share of the variance within a task that is explained, averaged over tasks.


def explained(y_test, predicted, task):
    """Mean R^2 over the tasks."""
    errors = [np.mean((y_test - predicted)[task == t] ** 2) for t in range(N_TASKS)]
    return 1 - np.mean([e / np.var(y_test[task == t]) for t, e in enumerate(errors)])


scores = {name: np.empty((len(SIZES), len(DRAWS))) for name in METHODS}
for i, rows in enumerate(SIZES):
    for seed in DRAWS:
        X, y, X_test, y_test = draw(rows, seed)
        for name, method in METHODS.items():
            predicted = method(X, y, X_test)
            scores[name][i, seed] = explained(y_test, predicted, X_test[:, -1])

print(f"{'rows per task':<26}" + "".join(f"{rows:>7}" for rows in SIZES))
for name, found in scores.items():
    print(f"{name:<26}" + "".join(f"{mean:7.2f}" for mean in found.mean(axis=1)))

# %%
# What sharing is worth is the difference to the same recipe alone, and to the better one of the
# ridge regressions, which one would have to know beforehand.

ours = scores["sk_mtl, all tasks"]
alone = scores["sk_mtl, each task alone"]
better = np.maximum(
    scores["ridge, one per task"].mean(axis=1), scores["ridge, pooled"].mean(axis=1)
)
for i, rows in enumerate(SIZES):
    print(
        f"{rows:4} rows: {ours[i].mean() - alone[i].mean():+.2f} over the same model alone, "
        f"{ours[i].mean() - better[i]:+.2f} over the better ridge regression"
    )

# %%

fig, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
for (name, found), style in zip(scores.items(), ("s--", "D--", "o:", "o-"), strict=True):
    mean, spread = found.mean(axis=1), found.std(axis=1)
    (line,) = ax.plot(SIZES, mean, style, label=name)
    ax.fill_between(SIZES, mean - spread, mean + spread, color=line.get_color(), alpha=0.15, lw=0)
ax.axhline(0.8, color="0.6", lw=1)
ax.text(SIZES[0], 0.81, "the most that is possible", color="0.4", va="bottom")
ax.set(xscale="log", xticks=SIZES, xticklabels=SIZES, ylim=(-0.3, 0.9))
ax.set(xlabel="training rows per task", ylabel="explained share of the variance")
ax.legend(loc="lower right", frameon=False)
ax.minorticks_off()
plt.show()
