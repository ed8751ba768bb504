"""
Which of my tasks help each other?
==================================

Five readers sort digits, each a pile of their own. Three of them do the same. Dan has the code book
upside down, and Eve's scanner turns images by 90 degrees. Nobody told us. `transfer_report` trains
every task alone, in pairs and with all others, and says who gains, who loses, and why.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from sk_mtl import MultiTaskAlignedClassifier
from sk_mtl.diagnostics import group_tasks, transfer_report
from sk_mtl.plotting import CovarianceSimilarityDisplay, TransferDisplay

# %%
# The tasks
# ---------
#
# Is a digit 5 or more? Of scikit-learn's digits, 8 x 8 pixels each, every reader has 80 labelled
# ones; some 280 more per reader are kept for a test.

readers = np.array(["Ada", "Ben", "Cleo", "Dan", "Eve"])
images, digits = load_digits(return_X_y=True)
rng = np.random.default_rng(0)
order = rng.permutation(len(images))
reader = readers[np.arange(len(images)) % 5]
X, y = images[order] / 16, np.where(digits[order] >= 5, "high", "low")
dan, eve = reader == "Dan", reader == "Eve"
y[dan] = np.where(y[dan] == "high", "low", "high")
X[eve] = X[eve].reshape(-1, 8, 8).transpose(0, 2, 1)[:, :, ::-1].reshape(-1, 64)
train, test = np.arange(400), np.arange(400, len(X))

# %%
# The report
# ----------
#
# The model that is asked about shares a lot: its large ``head_alpha`` leaves a task little of its
# own.

model = MultiTaskAlignedClassifier(
    hidden_layer_sizes=(), alignment=None, head_alpha=50, random_state=0
)
report = transfer_report(model, X[train], y[train], task=reader[train], cv=4, random_state=0)
print(report)

# %%

print(report.table[["gain", "standard_error", "verdict", "likely_cause"]].round(3).to_string())

# %%
# Pairs: a row is the task trained with, a column the task that is scored. The last row is for
# training with all others at once.

pairs = report.transfer
assert pairs is not None  # with more than 12 tasks it takes transfer_report(..., pairs=True)
TransferDisplay(pairs, score_name="accuracy").plot()
plt.show()

# %%
# A cause that needs no labels to be seen: do the pixels vary in the same directions? Compare with
# the diagonal; a task is less than 1 like itself.

CovarianceSimilarityDisplay.from_data(X[train] - X[train].mean(axis=0), task=reader[train])
plt.show()

# %%
# Act on it
# ---------
#
# `group_tasks` finds families, here from the gains of pairs, and ``task_groups=`` lets tasks share
# within their family only. The test images tell whether that was right:

groups = group_tasks(pairs.gain, pairs.tasks, threshold=0)
print("groups:", groups)

settings = {
    "all share": {},
    "groups share": {"task_groups": groups},
    "nobody shares": {"task_groups": {name: i for i, name in enumerate(readers)}},
}
accuracy = {}
for name, setting in settings.items():
    model.set_params(**{"task_groups": None} | setting)
    model.fit(X[train], y[train], task=reader[train])
    right = model.predict(X[test], task=reader[test]) == y[test]
    accuracy[name] = [right[reader[test] == one].mean() for one in readers]

print(f"{'accuracy':<14}" + "".join(f"{one:>7}" for one in readers) + "   mean")
for name, values in accuracy.items():
    print(f"{name:<14}" + "".join(f"{v:7.3f}" for v in values) + f"{np.mean(values):7.3f}")
