"""
One labeller is careless: does that harm the others?
====================================================

Eight people label the same rows, each for a question of their own, and one of them guesses half of
the time. Can one see who it is? What does it cost the other questions? Do task weights help?
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import roc_auc_score

from sk_mtl import MultiTaskAlignedClassifier, SVDTaskReweighter
from sk_mtl.datasets import make_noisy_label_tasks
from sk_mtl.plotting import TaskWeightDisplay

# %%
# The tasks
# ---------
#
# The signals of all questions lie in one plane of the 20 features. 150 rows for training, 2000 for
# the test, whose labels are clean.

N_TRAIN, DRAWS = 150, range(3)


def draw(seed, label_noise):
    """Training and test rows; a share of the labels of question 0 is random in training."""
    params = {"n_samples": N_TRAIN + 2000, "n_tasks": 8, "noise": 0.5, "random_state": seed}
    X, Y = make_noisy_label_tasks(noisy_tasks=[], **params)
    rng = np.random.default_rng(seed)
    guessed = rng.permutation(N_TRAIN)[: round(label_noise * N_TRAIN)]
    Y[guessed, 0] = rng.integers(0, 2, len(guessed))
    return X[:N_TRAIN], Y[:N_TRAIN], X[N_TRAIN:], Y[N_TRAIN:]


# %%
# Can one see who it is?
# ----------------------
#
# `SVDTaskReweighter` weighs a task by how much of its signal lies in the directions that the tasks
# share.

X, Y, X_test, Y_test = draw(0, label_noise=0.5)
reweighter = SVDTaskReweighter(n_components=0.9).fit(X, Y)
names = [f"question {j}" for j in range(8)]
TaskWeightDisplay(reweighter.task_weight_, tasks=names).plot()
plt.show()
lowest = [
    int(SVDTaskReweighter(n_components=0.9).fit(*draw(s, 0.5)[:2]).task_weight_.argmin())
    for s in range(20)
]
print(f"question 0 has the lowest weight in {lowest.count(0)} of {len(lowest)} draws")

# %%
# What does it cost, and do weights help?
# ---------------------------------------
#
# Two models: the defaults, in which everything that a task has of its own is penalised, and plain
# hard sharing, four common units with free heads.

MODELS = {
    "defaults": {},
    "plain hard sharing": {
        "hidden_layer_sizes": (4,),
        "skip_connection": False,
        "head_alpha": 0.02,
        "alpha": 0.02,
    },
}
WEIGHTS = {
    "equal": None,
    "uncertainty": "uncertainty",
    "SVD": SVDTaskReweighter(n_components=0.9),
    "SVD, half shrunk": SVDTaskReweighter(n_components=0.9, shrinkage=0.5),
}


def auc_of_tasks(params, task_weight, seed, label_noise):
    X, Y, X_test, Y_test = draw(seed, label_noise)
    model = MultiTaskAlignedClassifier(
        task_weight=task_weight, tol=1e-3, random_state=seed, **params
    )
    return roc_auc_score(Y_test, model.fit(X, Y).predict_proba(X_test), average=None)


found = {}
for kind, params in MODELS.items():
    clean = [auc_of_tasks(params, None, seed, 0.0) for seed in DRAWS]
    for name, task_weight in WEIGHTS.items():
        noisy = [auc_of_tasks(params, task_weight, seed, 0.5) for seed in DRAWS]
        found[kind, name] = 100 * (np.array(noisy) - np.array(clean))

print("change by the noise, in points of ROC AUC, ± standard error over draws")
for (kind, name), change in found.items():
    own, others = change[:, 0], change[:, 1:].mean(axis=1)
    error = np.std(others, ddof=1) / len(others) ** 0.5
    print(
        f"{kind:<19} {name:<17} noisy question {own.mean():+6.2f}, "
        f"the others {others.mean():+6.2f} ± {error:.2f}"
    )

# %%

fig, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
for k, kind in enumerate(MODELS):
    others = [found[kind, name][:, 1:].mean(axis=1) for name in WEIGHTS]
    at = np.arange(len(WEIGHTS)) + 0.2 * (k - 0.5)
    errors = [np.std(change, ddof=1) / len(change) ** 0.5 for change in others]
    ax.errorbar(at, [change.mean() for change in others], errors, fmt="os"[k], label=kind)
ax.axhline(0, color="0.6", lw=1)
ax.set(xticks=range(len(WEIGHTS)), xticklabels=WEIGHTS, xlabel="task weights")
ax.set(ylabel="change of the other questions' AUC\nby the noise (points)")
ax.legend(frameon=False)
plt.show()

# %%
# Real data are in the chapter on task weights of the user guide.
