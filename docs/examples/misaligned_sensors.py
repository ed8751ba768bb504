"""
Every machine has its own sensors: does alignment help?
=======================================================

Two ways for inputs to differ: sensors in other units, and sensors that mix what they measure. In
both, a shared model meets features that mean something else in every task. Alignment brings them
together before they are shared.

Three controls tell what it is worth: no alignment, each machine alone, and machines with the same
sensors, where there is nothing to align.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import ortho_group
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from sk_mtl import MultiTaskAlignedClassifierCV

# %%
# The tasks
# ---------
#
# Four machines read digits, of which 16 principal components are measured: is it 5 or more?

N_MACHINES, N_COMPONENTS, DRAWS = 4, 16, range(2)
images, digits = load_digits(return_X_y=True)
measured = PCA(N_COMPONENTS, whiten=True, random_state=0).fit_transform(images)


def same(rng):
    return np.eye(N_COMPONENTS), np.zeros(N_COMPONENTS)


def own_units(rng):
    gain, offset = np.exp(rng.standard_normal(N_COMPONENTS)), rng.standard_normal(N_COMPONENTS)
    return np.diag(gain), 2 * offset


def own_mixture(rng):
    return ortho_group.rvs(N_COMPONENTS, random_state=rng), np.zeros(N_COMPONENTS)


SENSORS = {"the same": same, "own units": own_units, "own mixture": own_mixture}


def draw(sensors, rows, seed):
    """Training and test rows of all machines."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(digits))
    machine = np.arange(len(digits)) % N_MACHINES
    X, y = measured[order].copy(), digits[order] >= 5
    state = np.random.RandomState(seed)
    for m in range(N_MACHINES):
        mix, offset = sensors(state)
        X[machine == m] = X[machine == m] @ mix + offset
    train = np.arange(len(X)) < rows * N_MACHINES
    return (X[train], y[train], machine[train]), (X[~train], y[~train], machine[~train])


# %%
# The models
# ----------
#
# The estimator that tunes itself, with linear models. Where it may align, it does so as far as
# held-out rows are better predicted: by moving and scaling each task's features, and by a matrix
# R for each task.


def aligned(train, test):
    return shared(train, test, alignment="full", cv=2)


def no_alignment(train, test):
    return shared(train, test, alignment=None)


def shared(train, test, alignment, cv=None):
    X, y, machine = train
    model = MultiTaskAlignedClassifierCV(
        alignment=alignment, hidden_layer_sizes=(), penalties=5, cv=cv, random_state=0
    )
    return model.fit(X, y, task=machine).score(test[0], test[1], task=test[2])


def alone(train, test):
    scores = []
    for m in range(N_MACHINES):
        own, asked = train[2] == m, test[2] == m
        scores.append(
            shared(
                (train[0][own], train[1][own], None), (test[0][asked], test[1][asked], None), None
            )
        )
    return np.mean(scores)


METHODS = {"alone": alone, "no alignment": no_alignment, "aligned": aligned}

# %%
# The comparison
# --------------

ROWS = 60
accuracy = {}
for name, sensors in SENSORS.items():
    draws = [draw(sensors, ROWS, seed) for seed in DRAWS]
    for method, score in METHODS.items():
        accuracy[name, method] = 100 * np.mean([score(*sides) for sides in draws])

print(f"{'test accuracy (%)':<20}" + "".join(f"{method:>14}" for method in METHODS))
for name in SENSORS:
    values = "".join(f"{accuracy[name, method]:14.1f}" for method in METHODS)
    print(f"sensors: {name:<11}{values}")

# %%
# What alignment is worth over sharing without it, and over not sharing at all:

for name in SENSORS:
    ours = accuracy[name, "aligned"]
    print(
        f"{name:<12} {ours - accuracy[name, 'no alignment']:+5.1f} over no alignment, "
        f"{ours - accuracy[name, 'alone']:+5.1f} over each machine alone"
    )

# %%

fig, ax = plt.subplots(figsize=(6.4, 3), layout="constrained")
at = np.arange(len(SENSORS))
for method, mark in zip(METHODS, "sDo", strict=True):
    ax.plot([accuracy[name, method] for name in SENSORS], at, mark, ms=8, label=method)
ax.set(yticks=at, yticklabels=[f"sensors: {name}" for name in SENSORS])
ax.invert_yaxis()
ax.set_xlabel("test accuracy (%)")
ax.legend(frameon=False)
plt.show()

# %%
# Real data and more controls are in the chapter on alignment of the user guide.
