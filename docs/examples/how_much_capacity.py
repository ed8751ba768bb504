"""
How many units should tasks share?
==================================

The last of ``hidden_layer_sizes`` is the capacity: how many numbers all tasks have to be told from.
By Proposition 1 of the paper, with as many as there are tasks nothing need be shared, and without
penalties nothing is. `capacity_curve` shows it for the paper's model, and what penalties change.
"""

import matplotlib.pyplot as plt
import numpy as np

from sk_mtl import MultiTaskAlignedRegressor
from sk_mtl.datasets import make_noisy_label_tasks
from sk_mtl.diagnostics import capacity_curve
from sk_mtl.plotting import CapacityDisplay

# %%
# The tasks
# ---------
#
# Six targets whose coefficients lie in a plane, with much noise, on 80 rows of 20 features.

X, Y = make_noisy_label_tasks(
    n_samples=80,
    n_tasks=6,
    capacity=2,
    binary=False,
    noise=1.0,
    noisy_tasks=[],
    random_state=0,
)
capacities = (1, 2, 3, 4, 6)

# %%
# The paper's model
# -----------------
#
# Linear, with penalties that are next to none, and nothing beside the shared layer.

plain = MultiTaskAlignedRegressor(
    activation="identity",
    skip_connection=False,
    alpha=1e-3,
    head_alpha=1e-3,
    tol=1e-3,
    input_scaling="standard",
    random_state=0,
)
curve = capacity_curve(plain, X, Y, capacities=capacities, cv=3, random_state=0)
print(f"best shared capacity: {curve.best_together}")
print(f"R^2 there {curve.mean_together.max():.2f}, at 6 units {curve.mean_together[-1]:.2f}")
print(f"tasks alone           {curve.mean_alone.max():.2f} at their best")
CapacityDisplay(curve, score_name="R²").plot()
plt.show()

# %%
# The defaults
# ------------
#
# With the penalties and the path beside the layer, which are the defaults, the number of units
# hardly matters, because what a task has of its own is limited in another way.

default = MultiTaskAlignedRegressor(tol=1e-3, random_state=0)
penalised = capacity_curve(default, X, Y, capacities=capacities, cv=3, random_state=0)
for name, found in {"paper's model": curve, "defaults": penalised}.items():
    together = found.mean_together
    print(f"{name:<14} R^2 from {together.min():.2f} to {together.max():.2f} over the capacities")

# %%

fig, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained", sharey=True)
for ax, (name, found) in zip(
    axes, {"the paper's model": curve, "defaults": penalised}.items(), strict=True
):
    CapacityDisplay(found, score_name="R²").plot(ax)
    ax.set_title(name)
axes[0].set_ylim(min(-0.1, np.nanmin(curve.mean_together) - 0.05), None)
plt.show()
