"""
Can I share without losing on any task?
=======================================

Sharing helps most tasks and may harm one that is unlike the others. `SelectiveTransferClassifier`
fits a multi-task model and a model for each task alone, and blends them, task by task, as held-out
rows say. Here six tasks agree, up to a point, and two do not.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from sk_mtl import MultiTaskAlignedClassifier, SelectiveTransferClassifier
from sk_mtl.plotting import TaskWeightDisplay

# %%
# The tasks
# ---------
#
# 20 features; 40 rows per task for training and 1000 for the test. Tasks "a" to "f" have similar
# coefficients, "odd" has some of its own, and in "inverse" labels mean the opposite.

rng = np.random.default_rng(0)
names = np.array([*"abcdef", "odd", "inverse"])
common = rng.standard_normal(20)
coefficients = common + 0.4 * rng.standard_normal((8, 20))
coefficients[6] = 1.2 * rng.standard_normal(20)
coefficients[7] = -common


def draw(rows):
    task = np.repeat(names, rows)
    X = rng.standard_normal((len(task), 20))
    signal = (X * np.repeat(coefficients, rows, axis=0)).sum(axis=1)
    return X, signal + 2 * rng.standard_normal(len(task)) > 0, task


X, y, task = draw(40)
X_test, y_test, task_test = draw(1000)

# %%
# The models
# ----------
#
# The multi-task model shares a lot. The model for a task alone is a logistic regression, tuned on
# the task's rows.

sharing = MultiTaskAlignedClassifier(
    hidden_layer_sizes=(), alignment=None, head_alpha=50, random_state=0
)
single = GridSearchCV(LogisticRegression(), {"C": [0.01, 0.1, 1]}, scoring="neg_log_loss", cv=3)
selective = SelectiveTransferClassifier(sharing, single, random_state=0)

sharing.fit(X, y, task=task)
selective.fit(X, y, task=task)
alone = [single.fit(X[task == t], y[task == t]).best_estimator_ for t in names]

# %%
# What held-out rows said: ``weight_`` is the share of the multi-task model in the blend.

order = [selective.tasks_.tolist().index(t) for t in names]
for t, i in zip(names, order, strict=True):
    print(
        f"{t:<8} {selective.choice_[i]:<12} weight {selective.weight_[i]:.2f}, "
        f"gain {selective.transfer_gain_[i]:+.3f} ± {selective.transfer_gain_se_[i]:.3f} nats"
    )

# %%
# What test rows say
# ------------------

accuracy = {name: np.empty(len(names)) for name in ("alone", "shared", "selective")}
for i, (t, model) in enumerate(zip(names, alone, strict=True)):
    own = task_test == t
    rows, labels, ids = X_test[own], y_test[own], task_test[own]
    accuracy["alone"][i] = model.score(rows, labels)
    accuracy["shared"][i] = sharing.score(rows, labels, task=ids)
    accuracy["selective"][i] = selective.score(rows, labels, task=ids)

for name in ("shared", "selective"):
    gain = accuracy[name] - accuracy["alone"]
    worst = names[gain.argmin()]
    print(f"{name:<10} mean gain {gain.mean():+.3f}, worst task {gain.min():+.3f} ({worst})")
kept = (accuracy["selective"] - accuracy["alone"])[:6].sum()
kept /= (accuracy["shared"] - accuracy["alone"])[:6].sum()
print(f"of what tasks a to f gain by sharing, {kept:.0%} is kept")

# %%

fig, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained", sharex=True)
for ax, name in zip(axes, ("shared", "selective"), strict=True):
    TaskWeightDisplay(
        100 * (accuracy[name] - accuracy["alone"]),
        tasks=names,
        weight_name="gain over a model alone (points)",
    ).plot(ax)
    ax.set_title(name)
plt.show()
