"""
What if most labels are missing?
================================

One molecule can be tested for eight kinds of toxicity, and hardly any molecule is tested for all of
them. A wide ``y`` has a column per test and NaN where there is no result. Compared are three ways:

* a logistic regression for each column, on the rows that have it;
* one for each column on the rows that are complete, which is what dropping NaN comes to;
* `MultiTaskAlignedClassifier`, on all rows with their gaps.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV

from sk_mtl import MultiTaskAlignedClassifier
from sk_mtl.datasets import make_noisy_label_tasks

# %%
# The tasks
# ---------
#
# The signals of all eight columns lie in one plane of the 20 features, so each column says
# something about the others. 200 training rows; 2000 test rows with all labels.

N_TASKS, N_TRAIN = 8, 200
MISSING = (0.0, 0.3, 0.6, 0.8, 0.9)
DRAWS = range(2)


def draw(missing, seed):
    X, Y = make_noisy_label_tasks(
        n_samples=N_TRAIN + 2000,
        n_tasks=N_TASKS,
        capacity=2,
        noise=1.0,
        noisy_tasks=[],
        random_state=seed,
    )
    gaps = np.random.default_rng(seed).random((N_TRAIN, N_TASKS)) < missing
    return X[:N_TRAIN], np.where(gaps, np.nan, Y[:N_TRAIN]), X[N_TRAIN:], Y[N_TRAIN:]


# %%
# The models
# ----------

PENALTIES = np.logspace(-2, 0, 3)


def per_column(X, Y, X_test, rows):
    """A tuned logistic regression for each column, on the given rows of it."""
    answers = []
    for j in range(N_TASKS):
        y, used = Y[rows[:, j], j], X[rows[:, j]]
        if np.unique(y, return_counts=True)[1].min(initial=len(y)) < 3 or len(np.unique(y)) < 2:
            answers.append(np.full(len(X_test), 0.5))  # too few rows: it knows nothing
            continue
        model = GridSearchCV(LogisticRegression(), {"C": PENALTIES}, scoring="neg_log_loss", cv=3)
        answers.append(model.fit(used, y).predict_proba(X_test)[:, 1])
    return np.column_stack(answers)


def on_own_rows(X, Y, X_test):
    return per_column(X, Y, X_test, ~np.isnan(Y))


def on_complete_rows(X, Y, X_test):
    complete = ~np.isnan(Y).any(axis=1)
    return per_column(X, Y, X_test, np.tile(complete[:, None], N_TASKS))


def multi_task(X, Y, X_test):
    return MultiTaskAlignedClassifier(random_state=0).fit(X, Y).predict_proba(X_test)


METHODS = {
    "logistic regression, complete rows": on_complete_rows,
    "logistic regression, labelled rows": on_own_rows,
    "MultiTaskAlignedClassifier": multi_task,
}

# %%
# The comparison
# --------------

scores = {name: np.empty((len(MISSING), len(DRAWS))) for name in METHODS}
for i, missing in enumerate(MISSING):
    for seed in DRAWS:
        X, Y, X_test, Y_test = draw(missing, seed)
        for name, method in METHODS.items():
            scores[name][i, seed] = roc_auc_score(Y_test, method(X, Y, X_test))

print(f"{'ROC AUC; labels missing':<38}" + "".join(f"{share:>7.0%}" for share in MISSING))
for name, found in scores.items():
    print(f"{name:<38}" + "".join(f"{mean:7.3f}" for mean in found.mean(axis=1)))

# %%

fig, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
for (name, found), style in zip(scores.items(), ("s--", "D--", "o-"), strict=True):
    ax.plot([100 * share for share in MISSING], found.mean(axis=1), style, label=name)
ax.set(xlabel="labels missing (%)", ylabel="ROC AUC, mean over columns")
ax.legend(frameon=False)
plt.show()

# %%
# The fitted model answers for every column of every row, whatever gaps it had in training.
# ``score`` leaves gaps of its ``Y`` out:

X, Y, X_test, Y_test = draw(0.8, 0)
model = MultiTaskAlignedClassifier(random_state=0).fit(X, Y)
gaps = np.random.default_rng(1).random(Y_test.shape) < 0.5
print(f"{np.isnan(Y).mean():.0%} of the training labels are missing")
print(f"accuracy on all test labels:        {model.score(X_test, Y_test):.3f}")
halved = np.where(gaps, np.nan, Y_test)
print(f"accuracy on half of them, with NaN: {model.score(X_test, halved):.3f}")
