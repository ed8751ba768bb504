"""Draws README's picture from the results of `bench_accuracy`: run it after the benchmark."""

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

from readme_table import METHODS, ROOT, means

PICTURE = ROOT / "docs" / "pictures" / "gain.png"
STYLES = {
    "per_task": ("0.55", "s"),
    "pooled": ("#56b4e9", "D"),
    "hgb_pooled": ("#009e73", "^"),
    "torchjd_mean": ("#cc79a7", "v"),
    "aligned": ("#d55e00", "o"),
    "aligned_cv": ("#0072b2", "o"),
}


def main() -> None:
    """A line per set of tasks, a mark per method."""
    lines = list(means(METHODS))
    fig, ax = plt.subplots(figsize=(8, 4.2), layout="constrained")
    for y, (_, _, _, _, found) in enumerate(lines):
        ax.plot([min(found), max(found)], [y, y], color="0.85", zorder=1)
    for j, (method, words) in enumerate(METHODS.items()):
        colour, mark = STYLES[method]
        scores = [found[j] for *_, found in lines]
        ax.scatter(
            scores, range(len(lines)), s=55, color=colour, marker=mark, label=words, zorder=2
        )
    sizes = [f"{size} rows".replace("in all rows", "rows in all") for _, size, *_ in lines]
    names = [f"{line[0]}\n({size}, {line[2]})" for line, size in zip(lines, sizes, strict=True)]
    ax.set(yticks=range(len(lines)), yticklabels=names, xlabel="test score (%)")
    ax.invert_yaxis()
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    fig.legend(loc="outside upper center", ncols=3, frameon=False)
    PICTURE.parent.mkdir(exist_ok=True)
    fig.savefig(PICTURE, dpi=110)


if __name__ == "__main__":
    main()
