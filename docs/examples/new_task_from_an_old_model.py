"""
A new task arrives: how many rows does it need?
===============================================

Six shops have a model. A seventh opens, and has a handful of labelled customers. `add_task` fits it
from the old model, with the shared module as it is: the other shops' predictions do not change by a
bit, and none of their rows are needed. Compared with a model of the new shop alone, with the old
model asked as if the new shop were one of the old ones, and with a fit to the rows of all shops.
"""

import time
from copy import deepcopy

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from sk_mtl import MultiTaskAlignedClassifier

# %%
# The tasks
# ---------
#
# What customers like depends on a common signal, and on one of each shop's own.

N_FEATURES, N_OLD, ROWS_OLD, N_TEST = 20, 6, 100, 2000
SIZES = (6, 12, 25, 50, 100, 200)
DRAWS = range(3)


def shops(seed):
    """Rows of the old shops, and plenty of the new one."""
    rng = np.random.default_rng(seed)
    common = rng.standard_normal(N_FEATURES)
    sizes = [ROWS_OLD] * N_OLD + [max(SIZES) + N_TEST]
    shop = np.repeat([f"shop {i}" for i in range(N_OLD)] + ["new"], sizes)
    taste = np.repeat(common + 0.6 * rng.standard_normal((N_OLD + 1, N_FEATURES)), sizes, axis=0)
    X = rng.standard_normal((len(shop), N_FEATURES))
    y = (X * taste).sum(axis=1) + 2 * rng.standard_normal(len(shop)) > 0
    return X, np.where(y, "buys", "leaves"), shop


# %%
# The comparison
# --------------

accuracy = {
    name: np.empty((len(SIZES), len(DRAWS)))
    for name in ("alone", "old model as it is", "add_task", "fit of all rows")
}
seconds = {"add_task": 0.0, "fit of all rows": 0.0}
unchanged = True
for seed in DRAWS:
    X, y, shop = shops(seed)
    old, new = np.flatnonzero(shop != "new"), np.flatnonzero(shop == "new")
    asked = new[max(SIZES) :]
    source = MultiTaskAlignedClassifier(random_state=seed).fit(X[old], y[old], task=shop[old])
    before = source.predict_proba(X[old], task=shop[old])
    as_others = [source.score(X[asked], y[asked], task=[t] * len(asked)) for t in source.tasks_]
    for i, rows in enumerate(SIZES):
        few = new[:rows]
        alone = GridSearchCV(LogisticRegression(), {"C": np.logspace(-3, 1, 5)}, cv=2)
        accuracy["alone"][i, seed] = alone.fit(X[few], y[few]).score(X[asked], y[asked])
        accuracy["old model as it is"][i, seed] = np.mean(as_others)

        model = deepcopy(source)
        started = time.perf_counter()
        model.add_task(X[few], y[few], task="new")
        seconds["add_task"] += time.perf_counter() - started
        accuracy["add_task"][i, seed] = model.score(X[asked], y[asked], task=shop[asked])
        unchanged &= bool((model.predict_proba(X[old], task=shop[old]) == before).all())

        both = np.r_[old, few]
        started = time.perf_counter()
        model = MultiTaskAlignedClassifier(random_state=seed).fit(X[both], y[both], task=shop[both])
        seconds["fit of all rows"] += time.perf_counter() - started
        accuracy["fit of all rows"][i, seed] = model.score(X[asked], y[asked], task=shop[asked])

print(f"{'rows of the new shop':<22}" + "".join(f"{rows:>7}" for rows in SIZES))
for name, found in accuracy.items():
    print(f"{name:<22}" + "".join(f"{mean:7.3f}" for mean in found.mean(axis=1)))
print(f"\nold predictions unchanged, bit for bit: {unchanged}")
print(
    f"a fit of all rows took {seconds['fit of all rows'] / seconds['add_task']:.1f} times as long"
)

# %%

fig, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
for (name, found), style in zip(accuracy.items(), ("s--", "k:", "o-", "D-."), strict=True):
    mean, error = found.mean(axis=1), found.std(axis=1, ddof=1) / len(DRAWS) ** 0.5
    ax.errorbar(SIZES, mean, error, fmt=style, label=name)
ax.set(xscale="log", xticks=SIZES, xticklabels=SIZES)
ax.minorticks_off()
ax.set(xlabel="labelled rows of the new shop", ylabel="test accuracy")
ax.legend(frameon=False)
plt.show()
