"""
How do I tune for the worst task, not only for the mean?
========================================================

Four hospitals tell malignant from benign tumours. Three of them write the same label for the same
thing; the fourth has so many doubtful cases that a third of its labels are random. A grid search
can keep several scores at once: of all rows in one pot, of the mean task, of the worst one. They
need not agree on what is best.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sk_mtl import MultiTaskAlignedClassifier
from sk_mtl.metrics import TaskScorer
from sk_mtl.model_selection import TaskStratifiedKFold
from sk_mtl.preprocessing import keep_task

# %%
# The tasks
# ---------
#
# scikit-learn's breast cancer data, 140 patients for each hospital. The task is a column of the
# table.

rng = np.random.default_rng(0)
X, y = load_breast_cancer(return_X_y=True, as_frame=True)
order = rng.permutation(len(X))[:560]
X, y = X.iloc[order].reset_index(drop=True), y.iloc[order].to_numpy()
X["hospital"] = np.repeat(["north", "east", "south", "west"], 140)
doubtful = (X["hospital"] == "west") & (rng.random(len(X)) < 1 / 3)
y = np.where(doubtful, rng.integers(0, 2, len(X)), y)
print(X[["mean radius", "mean texture", "hospital"]].sample(4, random_state=0).to_string())

# %%
# The search
# ----------
#
# A pipeline, and a grid over how much the hospitals share: ``head_alpha`` is the penalty on what a
# hospital has of its own.

pipeline = Pipeline(
    [
        ("scale", keep_task(StandardScaler(), task_column="hospital")),
        (
            "model",
            MultiTaskAlignedClassifier(
                task_column="hospital", hidden_layer_sizes=(), alignment=None, random_state=0
            ),
        ),
    ]
)
grid = {"model__alpha": [0.2, 2, 20], "model__head_alpha": [0.2, 2, 20, 200]}
of_tasks = {
    "metric": log_loss,
    "response_method": "predict_proba",
    "greater_is_better": False,
    "task_column": "hospital",
}
scorers = {
    "accuracy": "accuracy",
    "log loss": "neg_log_loss",
    "log loss of the mean task": TaskScorer(**of_tasks),
    "log loss of the worst task": TaskScorer(average="worst", **of_tasks),
}
search = GridSearchCV(
    pipeline,
    grid,
    scoring=scorers,
    refit="log loss of the worst task",
    cv=TaskStratifiedKFold(3, task_column="hospital", random_state=0),
).fit(X, y)

# %%
# What each score would have chosen, and what one gives up by it:

table = pd.DataFrame(search.cv_results_)
chosen = {}
for name in scorers:
    best = table[f"mean_test_{name}"].idxmax()
    chosen[name] = best
    print(f"best {name:<27} {table.loc[best, 'params']}")
    print("    " + ", ".join(f"{s} {table.loc[best, f'mean_test_{s}']:.3f}" for s in scorers))
print(f"\n{len(set(chosen.values()))} different choices by {len(scorers)} scores")

# %%
# The model is fitted again with what the score named by ``refit`` likes best. It is used like any
# estimator of scikit-learn:

print(search.best_params_)
print(search.predict_proba(X.head(3)).round(2))

# %%

fig, axes = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained", sharey=True)
for ax, name in zip(axes, list(scorers)[2:], strict=True):
    values = -table.pivot(
        index="param_model__alpha", columns="param_model__head_alpha", values=f"mean_test_{name}"
    )
    picture = ax.imshow(values, cmap="viridis_r", aspect="auto")
    for i, row in enumerate(values.to_numpy()):
        for j, value in enumerate(row):
            best = value == values.to_numpy().min()
            red, green, blue, _ = picture.cmap(picture.norm(value))
            ink = "white" if 0.3 * red + 0.6 * green + 0.1 * blue < 0.5 else "black"
            weight = "bold" if best else "normal"
            ax.text(j, i, f"{value:.3f}", ha="center", va="center", color=ink, weight=weight)
    ax.set(title=name, xlabel="head_alpha")
    ax.set(xticks=range(values.shape[1]), xticklabels=values.columns)
    ax.set(yticks=range(values.shape[0]), yticklabels=values.index)
axes[0].set_ylabel("alpha")
plt.show()
