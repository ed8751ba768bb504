"""
Can tasks share an encoder of sequences?
========================================

An LSTM and a convolutional encoder over word vectors, shared by three tasks. Reviews from three
shops are sequences of word vectors. A review is positive if its words are, but "not" turns the word
behind it around: the order counts, which a mean of word vectors does not see. Each shop has 200
reviews, few for an encoder of its own. The data are made up here.

Run it: ``python docs/examples/sentences_of_word_vectors.py``
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from sk_mtl import MultiTaskAlignedClassifier

Array = npt.NDArray[np.float64]

N_WORDS, WIDTH, LONGEST = 40, 12, 10
SHOPS = ["books", "films", "kitchen"]
NOT = 0  # the word that turns the next one around

# %%
# Two encoders
# ------------
#
# Positions without a word are NaN in X; a module whose ``forward`` has an argument ``mask`` is told
# where words are.


class LSTMEncoder(nn.Module):
    """The mean of an LSTM's states over the words of a review."""

    def __init__(self, n_features: int, capacity: int = 16) -> None:
        super().__init__()
        self.lstm = nn.LSTM(n_features, capacity, batch_first=True)

    def forward(self, rows: Tensor, mask: Tensor) -> Tensor:
        states, _ = self.lstm(rows)
        return masked_mean(states, mask)


class ConvolutionalEncoder(nn.Module):
    """The mean of filters that look at two words at a time."""

    def __init__(self, n_features: int, capacity: int = 16) -> None:
        super().__init__()
        self.filters = nn.Conv1d(n_features, capacity, kernel_size=2, padding=1)

    def forward(self, rows: Tensor, mask: Tensor) -> Tensor:
        states = self.filters(rows.transpose(1, 2)).tanh().transpose(1, 2)
        return masked_mean(states[:, : rows.shape[1]], mask)


def masked_mean(states: Tensor, mask: Tensor) -> Tensor:
    mean: Tensor = (states * mask.unsqueeze(-1)).sum(dim=1) / mask.sum(dim=1, keepdim=True)
    return mean


# %%
# Three tasks
# -----------
#
# The shops have most of the words' meaning in common, and a part of their own.


def make_reviews(n_rows: int, seed: int) -> tuple[Array, Array, npt.NDArray[np.str_]]:
    """Word vectors of shape (n_rows, LONGEST, WIDTH), padded with NaN; labels; shops."""
    language = np.random.default_rng(0)  # the same for all draws
    vectors = language.standard_normal((N_WORDS, WIDTH))
    polarity = language.standard_normal(N_WORDS)
    tilt = 0.5 * language.standard_normal((len(SHOPS), N_WORDS))  # "long" book, "long" wait
    rng = np.random.default_rng(seed)
    shop = np.arange(n_rows) % len(SHOPS)
    words = rng.integers(1, N_WORDS, (n_rows, LONGEST))
    words[rng.random(words.shape) < 0.3] = NOT
    length = rng.integers(4, LONGEST + 1, n_rows)
    spoken = np.arange(LONGEST) < length[:, None]
    value = np.where(words == NOT, 0.0, polarity[words] + tilt[shop[:, None], words])
    value[:, 1:] *= np.where(words[:, :-1] == NOT, -1, 1)
    y = (value * spoken).sum(axis=1) > 0
    X = np.where(spoken[:, :, None], vectors[words], np.nan)
    return X, y, np.array(SHOPS)[shop]


# %%
# The comparison
# --------------
#
# The same encoder for each shop alone, and shared by all three; and a linear model of mean vectors.


def main() -> dict[str, float]:
    """Test accuracy of each approach."""
    X, y, shop = make_reviews(600, seed=1)
    X_test, y_test, shop_test = make_reviews(3000, seed=2)
    accuracy = {"mean of vectors, LogisticRegression per shop": 0.0}
    for name in SHOPS:
        train, test = shop == name, shop_test == name
        linear = LogisticRegression().fit(np.nanmean(X[train], axis=1), y[train])
        score = linear.score(np.nanmean(X_test[test], axis=1), y_test[test])
        accuracy["mean of vectors, LogisticRegression per shop"] += score / len(SHOPS)

    for encoder in (LSTMEncoder, ConvolutionalEncoder):
        model = MultiTaskAlignedClassifier(
            shared_module=encoder, alignment="full", alpha=0.5, tol=1e-3, random_state=0
        )
        alone = []
        for name in SHOPS:
            train, test = shop == name, shop_test == name
            alone.append(model.fit(X[train], y[train]).score(X_test[test], y_test[test]))
        accuracy[f"{encoder.__name__} per shop"] = float(np.mean(alone))
        model.fit(X, y, task=shop)
        accuracy[f"{encoder.__name__} shared"] = model.score(X_test, y_test, task=shop_test)
    return accuracy


if __name__ == "__main__":
    torch.set_num_threads(1)  # small products: threads would only wait for each other
    found = main()
    for title, share in found.items():
        print(f"{title:45} {share:.3f}")

    fig, ax = plt.subplots(figsize=(6.4, 2.6), layout="constrained")
    ax.barh(list(found), list(found.values()), color=["0.7", *["#d55e00", "#0072b2"] * 2])
    ax.set(xlim=(0.5, None), xlabel="test accuracy (0.5 is chance)")
    ax.invert_yaxis()
    plt.show()
