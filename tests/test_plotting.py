"""The displays show the numbers that they are given, legibly, where they are told to."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import make_scorer, mean_squared_error

from helpers import N_TASKS, make_tasks
from sk_mtl import (
    MultiTaskAlignedClassifier,
    MultiTaskAlignedClassifierCV,
    MultiTaskAlignedRegressor,
    SelectiveTransferClassifier,
    SelectiveTransferRegressor,
    SVDTaskReweighter,
)
from sk_mtl._plotting import score_label, short_name
from sk_mtl.diagnostics import (
    CapacityCurve,
    TransferMatrix,
    alignment_similarity,
    covariance_similarity,
    transfer_matrix,
)
from sk_mtl.plotting import (
    CapacityDisplay,
    CovarianceSimilarityDisplay,
    TaskLearningCurveDisplay,
    TaskWeightDisplay,
    TransferDisplay,
)

mpl.use("Agg")

LONG_NAMES = [f"comprehensive school number {i}" for i in range(139)]


@pytest.fixture(autouse=True)
def _clean_figures(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No display shows a figure, or changes matplotlib's settings."""
    monkeypatch.setattr(plt, "show", lambda *_, **__: pytest.fail("plt.show was called"))
    before = dict(mpl.rcParams)
    yield
    plt.close("all")
    assert dict(mpl.rcParams) == before


def some_matrix(n_tasks: int, seed: int = 0) -> TransferMatrix:
    rng = np.random.default_rng(seed)
    gain = rng.normal(0, 0.02, (n_tasks, n_tasks))
    np.fill_diagonal(gain, 0)
    together = rng.normal(0, 0.02, n_tasks)
    return TransferMatrix(
        tasks=np.array(LONG_NAMES[:n_tasks]),
        gain=gain,
        standard_error=np.full((n_tasks, n_tasks), 0.01),
        score_alone=np.full(n_tasks, 0.7),
        score_together=0.7 + together,
        gain_together=together,
        gain_together_se=np.full(n_tasks, 0.01),
        n_folds=5,
    )


def some_curve(n_tasks: int, n_sizes: int = 4) -> CapacityCurve:
    rng = np.random.default_rng(0)
    parts = rng.uniform(0.5, 0.9, (4, n_sizes, n_tasks))
    return CapacityCurve(2 ** np.arange(n_sizes), np.arange(n_tasks), *parts)


def some_learning_scores(n_tasks: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    names = ("score_together", "score_together_se", "score_alone", "score_alone_se")
    scores = {name: rng.uniform(0.5, 0.9, (3, n_tasks)) for name in names}
    sizes = np.array([10.0, 20.0, 30.0])[:, None] * np.arange(1, n_tasks + 1)
    return {"train_sizes": sizes, "tasks": LONG_NAMES[:n_tasks], **scores}


def shown(axis: Any) -> list[str]:
    """The tick labels that a reader sees."""
    axis.get_figure(root=True).draw_without_rendering()
    low, high = sorted(axis.get_view_interval())
    return [
        tick.label1.get_text()
        for tick in axis.get_major_ticks()
        if low <= tick.get_loc() <= high and tick.label1.get_text()
    ]


def boxes(axis: Any) -> list[Any]:
    """Where the tick labels were drawn last."""
    renderer = axis.get_figure(root=True).canvas.get_renderer()
    labels = [tick.label1 for tick in axis.get_major_ticks() if tick.label1.get_text()]
    return [label.get_window_extent(renderer) for label in labels]


def none_overlap(found: list[Any]) -> bool:
    return not any(one.overlaps(other) for i, one in enumerate(found) for other in found[i + 1 :])


# Heat maps of similarity


def test_similarity_is_drawn_as_it_is_computed() -> None:
    X, _, task = make_tasks()
    names = np.array(["north", "south", "west"])[task]
    display = CovarianceSimilarityDisplay.from_data(X, task=names, energy=0.8)
    expected = covariance_similarity(X, task=names, energy=0.8)
    np.testing.assert_array_equal(display.im_.get_array(), expected)
    assert shown(display.ax_.xaxis) == shown(display.ax_.yaxis) == ["north", "south", "west"]
    assert display.text_[0, 1].get_text() == f"{expected[0, 1]:.2f}"
    assert display.im_.get_clim() == (expected.min(), expected.max())
    assert display.colorbar_.ax.get_ylabel() == "covariance similarity"
    assert display.figure_ is display.ax_.figure


def test_similarity_of_every_layout() -> None:
    pd = pytest.importorskip("pandas")
    X, _, task = make_tasks()
    expected = covariance_similarity(X, task=task)
    parts = {f"task {t}": X[task == t] for t in range(N_TASKS)}
    wide = pd.DataFrame({t: np.where(task == t, 1.0, np.nan) for t in range(N_TASKS)})
    wide.columns = [*parts]
    table = pd.DataFrame(X).assign(shop=[f"task {t}" for t in task])
    table.columns = table.columns.astype(str)
    for display in (
        CovarianceSimilarityDisplay.from_data(parts),
        CovarianceSimilarityDisplay.from_data(X, wide),
        CovarianceSimilarityDisplay.from_data(table, task_column="shop"),
    ):
        np.testing.assert_allclose(display.im_.get_array(), expected)
        assert shown(display.ax_.yaxis) == ["task 0", "task 1", "task 2"]


def test_similarity_before_and_after_alignment() -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(
        hidden_layer_sizes=(), alignment="full", alignment_init="coral"
    ).fit(X, y, task=task)
    two = task > 0
    before, after = alignment_similarity(model, X[two], task[two])
    display = CovarianceSimilarityDisplay.from_estimator(model, X[two], task[two])
    for ax, image, expected in zip(display.ax_, display.im_, (before, after), strict=True):
        np.testing.assert_allclose(image.get_array(), expected)
        assert image.get_clim() == pytest.approx(
            (min(before.min(), after.min()), max(before.max(), after.max()))
        )
        assert shown(ax.xaxis) == ["1", "2"]
    assert [ax.get_title() for ax in display.ax_] == ["before alignment", "after alignment"]
    assert len(display.figure_.axes) == 3  # and one colour bar
    alone = CovarianceSimilarityDisplay.from_estimator(model, X[two], task[two], which="after")
    np.testing.assert_allclose(alone.im_.get_array(), after)
    search = MultiTaskAlignedClassifierCV(penalties=2, cv=None).fit(X, y, task=task)
    search.best_estimator_ = model
    alone = CovarianceSimilarityDisplay.from_estimator(search, X[two], task[two], which="after")
    np.testing.assert_allclose(alone.im_.get_array(), after)
    with pytest.raises(ValueError, match='which must be "both", "before" or "after"; got \'now\''):
        CovarianceSimilarityDisplay.from_estimator(model, X, task, which="now")


def test_similarity_of_what_has_no_alignment() -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(hidden_layer_sizes=(), alignment=None)
    with pytest.raises(NotFittedError):
        CovarianceSimilarityDisplay.from_estimator(model, X, task)
    for fitted in (model.fit(X, y, task=task), LogisticRegression().fit(X, y)):
        with pytest.raises(ValueError, match="has no alignment: use from_data"):
            CovarianceSimilarityDisplay.from_estimator(fitted, X, task)


def test_numbers_are_written_where_they_fit() -> None:
    rng = np.random.default_rng(0)
    small, large = rng.random((6, 6)), rng.random((60, 60))
    assert CovarianceSimilarityDisplay(small).plot().text_.shape == (6, 6)
    assert CovarianceSimilarityDisplay(small).plot(include_values=False).text_ is None
    assert CovarianceSimilarityDisplay(large).plot().text_ is None
    assert CovarianceSimilarityDisplay(large[:9, :9]).plot(include_values=True).text_.size == 81
    _, ax = plt.subplots(figsize=(1.5, 1.5))
    assert CovarianceSimilarityDisplay(small).plot(ax).text_ is None


def test_numbers_stay_inside_their_cells() -> None:
    display = CovarianceSimilarityDisplay(np.random.default_rng(0).random((6, 6))).plot()
    figure = display.figure_
    for inches in (4.5, 3.6):
        figure.set_size_inches(inches, inches)
        figure.canvas.draw()
        cell = display.ax_.transData.transform([(0, 0), (1, 1)])
        box = display.text_[2, 3].get_window_extent(figure.canvas.get_renderer())
        assert 0.5 < box.width / abs(cell[1, 0] - cell[0, 0]) < 0.75
    figure.set_size_inches(2.0, 2.0)
    figure.canvas.draw()
    figure.set_layout_engine("none")
    figure.canvas.draw()
    drawn_with = np.asarray(figure.canvas.buffer_rgba()).copy()
    for text in display.text_.ravel():
        text.set_visible(False)
    figure.canvas.draw()
    np.testing.assert_array_equal(drawn_with, figure.canvas.buffer_rgba())  # none had been drawn


def test_numbers_stand_out_from_their_cells() -> None:
    display = CovarianceSimilarityDisplay([[0.0, 1.0], [0.9, 0.1]]).plot()
    colours = [text.get_color() for text in display.text_.ravel()]
    assert colours == ["white", "black", "black", "white"]


def test_unknown_similarities_are_hatched_and_explained() -> None:
    display = CovarianceSimilarityDisplay([[1.0, np.nan], [0.5, 1.0]]).plot()
    assert display.ax_.patch.get_hatch()
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["unknown"]
    assert display.text_[0, 1].get_text() == ""
    assert display.im_.get_clim() == (0.5, 1.0)
    assert CovarianceSimilarityDisplay(np.eye(2)).plot().ax_.get_legend() is None


@pytest.mark.parametrize(
    ("arguments", "tasks", "message"),
    [
        ([np.ones((2, 3))], None, r"similarity must be a matrix .* its shape is \(2, 3\)"),
        ([np.ones(3)], None, r"its shape is \(3,\)"),
        ([np.eye(2), np.ones((2, 1))], None, "aligned_similarity must be a matrix"),
        ([np.eye(2), np.eye(3)], None, "aligned_similarity has 3 tasks, similarity has 2"),
        ([np.eye(2)], ["a", "b", "c"], "tasks has 3 names for 2 tasks"),
    ],
)
def test_similarities_of_a_wrong_shape(arguments: Any, tasks: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CovarianceSimilarityDisplay(*arguments, tasks=tasks)


def test_two_pictures_need_two_axes() -> None:
    _, axes = plt.subplots(1, 2)
    display = CovarianceSimilarityDisplay(np.eye(2), np.eye(2))
    with pytest.raises(ValueError, match="ax has 1 axes, but 2 are drawn on"):
        display.plot(axes[0])
    assert display.plot(axes).ax_.tolist() == axes.tolist()


# Heat maps of gains


def test_gains_are_drawn_around_zero() -> None:
    matrix = some_matrix(4)
    display = TransferDisplay(matrix, score_name="accuracy").plot()
    gains = np.vstack([matrix.gain, matrix.gain_together])
    np.testing.assert_array_equal(display.im_.get_array(), gains)
    largest = np.abs(gains).max()
    assert display.im_.get_clim() == (-largest, largest)
    red, blue = (to_rgb(display.im_.to_rgba(value)) for value in (-largest, largest))
    assert red[0] > red[2]
    assert blue[2] > blue[0]
    assert display.colorbar_.ax.get_ylabel() == "gain in accuracy"
    assert display.colorbar_.extend == "neither"
    assert shown(display.ax_.yaxis)[-1] == "all together"
    assert len(shown(display.ax_.xaxis)) == 4
    assert (display.ax_.get_ylabel(), display.ax_.get_xlabel()) == (
        "task trained with",
        "task scored",
    )
    number = display.text_[0, 1].get_text()
    assert number == f"{gains[0, 1]:+.3f}".replace("-", "\N{MINUS SIGN}")
    assert [display.text_[t, t].get_text() for t in range(4)] == [""] * 4


def test_colours_may_end_before_the_largest_gain() -> None:
    display = TransferDisplay(some_matrix(4)).plot(vmax=0.001)
    assert display.im_.get_clim() == (-0.001, 0.001)
    assert display.colorbar_.extend == "both"


@pytest.mark.parametrize("include_values", [True, False])
def test_only_certain_gains_are_marked(include_values: bool) -> None:
    nan, inf = np.nan, np.inf
    matrix = replace(
        some_matrix(3),
        gain=np.array([[0.0, 0.05, -0.03], [0.02, 0.0, nan], [0.9, -0.1, 0.0]]),
        standard_error=np.array([[0.0, 0.01, 0.01], [0.01, 0.0, inf], [inf, 0.06, 0.0]]),
        gain_together=np.array([0.021, -0.05, 0.01]),
        gain_together_se=np.array([0.01, 0.01, 0.01]),
    )
    display = TransferDisplay(matrix).plot(include_values=include_values)
    marked = {
        kind: sorted(
            tuple(np.floor(path.vertices.mean(axis=0) + 0.5).astype(int)[::-1].tolist())
            for path in marks.get_paths()
        )
        for kind, marks in (("gain", display.gain_marks_), ("loss", display.loss_marks_))
    }
    # 0.02 is not more than 2 times 0.01, and 0.1 not more than 2 times 0.06.
    assert marked == {"gain": [(0, 1), (3, 0)], "loss": [(0, 2), (3, 1)]}
    (up, *_), (down, *_) = display.gain_marks_.get_paths(), display.loss_marks_.get_paths()
    for path, points_up in ((up, True), (down, False)):
        corners = path.vertices[:3]
        tip = corners[np.argmax(np.abs(corners[:, 1] - np.median(corners[:, 1])))]
        assert (tip[1] < corners[:, 1].mean()) == points_up  # the axis points downwards
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts == ["gain > 2 SE", "loss > 2 SE", "no score"]
    assert display.ax_.patch.get_hatch()


def test_gains_of_nothing() -> None:
    matrix = some_matrix(1)
    display = TransferDisplay(replace(matrix, gain_together=np.zeros(1))).plot()
    assert display.im_.get_clim() == (-1, 1)
    assert display.ax_.get_legend() is None


def test_transfer_of_an_estimator() -> None:
    X, y, task = make_tasks(rows=12)
    model = MultiTaskAlignedClassifier(hidden_layer_sizes=(), alignment=None)
    settings: dict[str, Any] = {"task": task, "cv": 2, "scoring": "roc_auc", "random_state": 0}
    display = TransferDisplay.from_estimator(model, X, y, **settings)
    matrix = transfer_matrix(model, X, y, **settings)
    np.testing.assert_array_equal(
        display.im_.get_array(), np.vstack([matrix.gain, matrix.gain_together])
    )
    assert display.colorbar_.ax.get_ylabel() == "gain in ROC AUC"


def test_transfer_of_a_wrong_shape() -> None:
    matrix = some_matrix(3)
    with pytest.raises(ValueError, match=r"matrix.gain must be .* its shape is \(2, 3\)"):
        TransferDisplay(replace(matrix, gain=matrix.gain[:2]))
    with pytest.raises(ValueError, match="tasks has 2 names for 3 tasks"):
        TransferDisplay(replace(matrix, tasks=matrix.tasks[:2]))


# Bars


def test_bars_are_as_long_as_the_weights() -> None:
    display = TaskWeightDisplay([0.5, -0.2, 1.5], tasks=["a", "b", "c"]).plot()
    assert [bar.get_width() for bar in display.bars_] == [1.5, 0.5, -0.2]
    heights = [bar.get_window_extent().y0 for bar in display.bars_]
    assert heights == sorted(heights, reverse=True)  # the largest on top
    assert shown(display.ax_.yaxis) == ["c", "a", "b"]
    colours = [bar.get_facecolor() for bar in display.bars_]
    assert colours[0] == colours[1] != colours[2]
    assert display.ax_.get_xlabel() == "task weight"
    assert display.errorbar_ is None


def test_whiskers_are_standard_errors() -> None:
    display = TaskWeightDisplay([0.5, 1.5, 1.0], standard_error=[0.1, np.inf, 0.2]).plot()
    (whiskers,) = display.errorbar_[2]
    spans = [segment[:, 0] for segment in whiskers.get_segments() if len(segment)]
    np.testing.assert_allclose(spans, [[0.8, 1.2], [0.4, 0.6]])  # none where it is unknown


def test_weights_of_estimators() -> None:
    X, y, task = make_tasks(rows=12)
    reweighter = SVDTaskReweighter().fit(X, y, task=task)
    display = TaskWeightDisplay.from_estimator(reweighter)
    assert [bar.get_width() for bar in display.bars_] == sorted(
        reweighter.task_weight_, reverse=True
    )
    weights = {0: 1.0, 1: 3.0, 2: 2.0}
    aligned = MultiTaskAlignedClassifier(
        hidden_layer_sizes=(), alignment=None, task_weight=weights
    ).fit(X, y, task=task)
    aligned.add_task(X[:24], y[:24], task=7)
    display = TaskWeightDisplay.from_estimator(aligned)
    assert [bar.get_width() for bar in display.bars_] == [3, 2, 1, 1]
    assert shown(display.ax_.yaxis) == ["1", "2", "0", "7"]
    with pytest.raises(ValueError, match="has no transfer gain of tasks"):
        TaskWeightDisplay.from_estimator(aligned, values="transfer_gain")
    with pytest.raises(NotFittedError):
        TaskWeightDisplay.from_estimator(SVDTaskReweighter())
    with pytest.raises(ValueError, match="has no weight of tasks"):
        TaskWeightDisplay.from_estimator(LogisticRegression().fit(X, y))
    with pytest.raises(ValueError, match="values must be"):
        TaskWeightDisplay.from_estimator(reweighter, values="gain")


def test_shares_and_gains_of_selective_estimators() -> None:
    X, y, task = make_tasks(rows=12)
    model = MultiTaskAlignedClassifier(hidden_layer_sizes=(), alignment=None)
    selective = SelectiveTransferClassifier(model, cv=2, random_state=0).fit(X, y, task=task)
    display = TaskWeightDisplay.from_estimator(selective)
    assert [bar.get_width() for bar in display.bars_] == sorted(selective.weight_, reverse=True)
    assert display.ax_.get_xlabel() == "share of the multi-task model"
    display = TaskWeightDisplay.from_estimator(selective, values="transfer_gain")
    order = np.argsort(-selective.transfer_gain_, kind="stable")
    assert [bar.get_width() for bar in display.bars_] == selective.transfer_gain_[order].tolist()
    (whiskers,) = display.errorbar_[2]
    spans = [np.ptp(segment[:, 0]) for segment in whiskers.get_segments()]
    np.testing.assert_allclose(spans, 2 * selective.transfer_gain_se_[order])
    assert display.ax_.get_xlabel() == "gain in log-likelihood (nats per row)"
    selective.set_params(scoring="roc_auc").fit(X, y, task=task)
    display = TaskWeightDisplay.from_estimator(selective, values="transfer_gain")
    assert display.ax_.get_xlabel() == "gain in ROC AUC"
    values = SelectiveTransferRegressor(LinearRegression(), Ridge(), cv=2).fit(X, X[:, 0])
    display = TaskWeightDisplay.from_estimator(values, values="transfer_gain")
    assert display.ax_.get_xlabel() == "gain in R²"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weight": [[1.0]]}, r"weight must be a number for each task; its shape is \(1, 1\)"),
        ({"weight": [1.0, 2.0], "tasks": ["a"]}, "tasks has 1 names for 2 tasks"),
        ({"weight": [1.0], "standard_error": [1.0, 2.0]}, r"standard_error has the shape \(2,\)"),
    ],
)
def test_weights_of_a_wrong_shape(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TaskWeightDisplay(**arguments)


# Curves


def band(collection: Any) -> Any:
    """Lower and upper ends of a band, from left to right."""
    vertices = collection.get_paths()[0].vertices
    places = np.unique(vertices[:, 0])
    ends = [vertices[vertices[:, 0] == place, 1] for place in places]
    return np.array([[end.min(), end.max()] for end in ends])


def test_capacities_are_drawn_with_their_errors_and_best() -> None:
    curve = CapacityCurve(
        capacities=np.array([1, 4, 16]),
        tasks=np.array(["a", "b"]),
        score_alone=np.array([[0.5, 0.6], [0.7, 0.6], [0.6, 0.9]]),
        score_alone_se=np.full((3, 2), 0.03),
        score_together=np.array([[0.6, 0.6], [0.8, 0.9], [0.7, 0.7]]),
        score_together_se=np.array([[0.03, 0.04], [0.0, 0.02], [0.06, 0.08]]),
    )
    display = CapacityDisplay(curve, score_name="accuracy").plot()
    together, alone = display.lines_
    for line in (together, alone):
        np.testing.assert_array_equal(line.get_xdata(), [1, 4, 16])
    np.testing.assert_allclose(together.get_ydata(), [0.6, 0.85, 0.7])
    np.testing.assert_allclose(alone.get_ydata(), [0.55, 0.65, 0.75])
    # Errors of independent tasks: sqrt(0.03^2 + 0.04^2) / 2 = 0.025, and so on.
    expected = [[0.575, 0.625], [0.84, 0.86], [0.65, 0.75]]
    np.testing.assert_allclose(band(display.bands_[0]), expected)
    assert [line.get_xydata().tolist() for line in display.best_] == [
        [[4.0, pytest.approx(0.85)]],
        [[16.0, pytest.approx(0.75)]],
    ]
    np.testing.assert_array_equal(
        [line.get_ydata() for line in display.task_lines_],
        [*curve.score_together.T, *curve.score_alone.T],
    )
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts == ["together (best r: 4)", "alone (sum of best r: 20)"]
    assert shown(display.ax_.xaxis) == ["1", "4", "16"]
    at = display.ax_.transData.transform([(r, 0.7) for r in (1, 4, 16)])[:, 0]
    assert at[1] - at[0] == pytest.approx(at[2] - at[1])  # a step for each doubling
    assert display.ax_.get_ylabel() == "accuracy"
    assert CapacityDisplay(some_curve(9)).plot().task_lines_ == []


def test_capacities_without_scores_or_errors() -> None:
    curve = some_curve(3)
    curve.score_together[:, 0] = np.nan
    curve.score_together_se[:, 0] = np.inf
    curve.score_alone[:] = np.nan
    display = CapacityDisplay(curve).plot()
    np.testing.assert_allclose(
        display.lines_[0].get_ydata(), curve.score_together[:, 1:].mean(axis=1)
    )
    assert np.isfinite(band(display.bands_[0])).all()
    assert len(display.best_) == 1


class RowCounter(ClassifierMixin, BaseEstimator):
    """Remembers what it was fitted to, for scorers that tell it."""

    __metadata_request__fit = {"task": True}  # noqa: RUF012
    __metadata_request__predict = {"task": True}  # noqa: RUF012

    def __init__(self, hidden_layer_sizes: Any = ()) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes

    def fit(self, X: Any, y: Any, task: Any = None) -> RowCounter:
        self.classes_, self.task_, self.y_ = np.unique(y), task, np.asarray(y)
        self.rows_ = X[:, 0]
        return self

    def predict(self, X: Any, task: Any = None) -> Any:
        return np.full(len(X), self.classes_[0])


def capacity_times_tasks(estimator: Any, X: Any, y: Any) -> float:
    model = estimator.model
    return float(model.hidden_layer_sizes[0] * len(np.unique(model.task_)))


def test_capacity_curve_of_an_estimator() -> None:
    X, y, task = make_tasks(rows=10)
    display = CapacityDisplay.from_estimator(
        RowCounter(), X, y, task=task, cv=2, capacities=(1, 4), scoring=capacity_times_tasks
    )
    assert display.lines_[0].get_xydata().tolist() == [[1, N_TASKS], [4, 4 * N_TASKS]]
    assert display.lines_[1].get_xydata().tolist() == [[1, 1], [4, 4]]
    assert display.ax_.get_ylabel() == "capacity times tasks"


def test_capacities_of_a_wrong_shape() -> None:
    curve = some_curve(3)
    with pytest.raises(ValueError, match=r"curve.score_alone_se has the shape \(2, 3\)"):
        CapacityDisplay(replace(curve, score_alone_se=curve.score_alone_se[:2]))


def n_rows_trained_on(estimator: Any, X: Any, y: Any) -> float:
    return float((estimator.model.task_ == estimator.task).sum())


def n_classes_trained_on(estimator: Any, X: Any, y: Any) -> float:
    model = estimator.model
    return float(len(np.unique(model.y_[model.task_ == estimator.task])))


def test_learning_curves_are_of_as_many_rows_as_asked_for() -> None:
    X, y, task = make_tasks(rows=20)  # 40 rows a task, 20 of which are trained on
    kept = (task < 2) | (np.arange(len(task)) % 2 == 0)
    X, y, task = X[kept], y[kept], task[kept]
    settings: dict[str, Any] = {"task": task, "cv": 2, "scoring": n_rows_trained_on}
    display = TaskLearningCurveDisplay.from_estimator(
        RowCounter(), X, y, train_sizes=[0.25, 1.0], **settings
    )
    for t, rows in enumerate([[5, 20], [5, 20], [2, 10]]):
        for line in display.lines_[2 * t : 2 * t + 2]:
            np.testing.assert_array_equal(line.get_ydata(), rows)
            np.testing.assert_array_equal(line.get_xdata(), rows)
    display = TaskLearningCurveDisplay.from_estimator(
        RowCounter(), X, y, train_sizes=[15, 4], **settings
    )
    for t, rows in enumerate([[4, 15], [4, 15], [4, 10]]):
        np.testing.assert_array_equal(display.lines_[2 * t].get_ydata(), rows)
        np.testing.assert_array_equal(display.lines_[2 * t].get_xdata(), [4, 15])


def test_learning_curves_see_all_classes_from_the_start() -> None:
    X, _, task = make_tasks(rows=20)
    y = np.arange(len(task)) % 40 // 10  # four classes
    display = TaskLearningCurveDisplay.from_estimator(
        RowCounter(), X, y, task=task, cv=2, train_sizes=[1, 10], scoring=n_classes_trained_on
    )
    for line in display.lines_:
        np.testing.assert_array_equal(line.get_ydata(), [4, 4])


def test_smaller_training_sets_are_parts_of_larger_ones() -> None:
    X, y, task = make_tasks(rows=20)
    X[:, 0] = np.arange(len(X))
    seen: list[set[float]] = []

    def scorer(estimator: Any, X: Any, y: Any) -> float:
        model = estimator.model
        if len(np.unique(model.task_)) == 1 and model.task_[0] == 0:
            seen.append(set(model.rows_))
            assert not seen[-1] & set(X[:, 0])  # no row is trained and tested on
        return 0.0

    train = np.arange(0, len(X), 2)
    folds = [(train, train + 1), (train + 1, train)]
    TaskLearningCurveDisplay.from_estimator(
        RowCounter(), X, y, task=task, cv=folds, train_sizes=[3, 6, 12], scoring=scorer
    )
    assert sorted(map(len, seen)) == [3, 3, 6, 6, 12, 12]
    for few, some, many in (seen[:3], seen[3:]):
        assert few < some < many


@pytest.mark.parametrize("wide", [False, True])
def test_learning_curves_end_at_the_scores_of_all_rows(wide: bool) -> None:
    X, y, task = make_tasks(rows=12)
    ids: Any = task
    if wide:
        y, ids = np.column_stack([y, X[:, 0] > 0, X[:, 1] > 0]), None
    model = MultiTaskAlignedClassifier(hidden_layer_sizes=(), alignment=None)
    settings: dict[str, Any] = {"task": ids, "cv": 3, "random_state": 0}
    display = TaskLearningCurveDisplay.from_estimator(
        model, X, y, train_sizes=[0.3, 1.0], **settings
    )
    matrix = transfer_matrix(model, X, y, **{**settings, "random_state": np.random.RandomState(0)})
    for t in range(N_TASKS):
        together, alone = display.lines_[2 * t : 2 * t + 2]
        assert together.get_ydata()[-1] == pytest.approx(matrix.score_together[t])
        assert alone.get_ydata()[-1] == pytest.approx(matrix.score_alone[t])
        low, high = band(display.bands_[2 * t])[-1]
        assert (low + high) / 2 == pytest.approx(matrix.score_together[t])
        assert together.get_xdata()[0] < together.get_xdata()[1]
    assert display.figure_.get_supylabel() == "accuracy"


def test_errors_of_learning_curves_are_those_of_whole_folds() -> None:
    X, y, task = make_tasks(rows=20)
    splits = np.split(np.random.default_rng(0).permutation(len(X)), 4)
    folds = [(np.setdiff1d(np.arange(len(X)), test), test) for test in splits]
    display = TaskLearningCurveDisplay.from_estimator(
        RowCounter(),
        X,
        y,
        task=task,
        cv=folds,
        train_sizes=[0.3, 1.0],
        scoring=lambda estimator, X, y: X[:, 0].mean(),
    )
    for t in range(N_TASKS):
        tested = [test[task[test] == t] for test in splits]
        means = np.array([X[test, 0].mean() for test in tested])
        # 40 rows are tested on or trained on.
        overlap = np.mean([len(test) / (40 - len(test)) for test in tested])
        error = np.sqrt((1 / 4 + overlap) * means.var(ddof=1))
        for drawn in display.bands_[2 * t : 2 * t + 2]:
            expected = [means.mean() - error, means.mean() + error]
            np.testing.assert_allclose(band(drawn), [expected, expected])


def test_error_bands_of_learning_curves() -> None:
    scores = some_learning_scores(2)
    scores["score_alone_se"][0, 1] = np.inf
    display = TaskLearningCurveDisplay(**scores).plot()
    mean, error = scores["score_together"][:, 1], scores["score_together_se"][:, 1]
    np.testing.assert_allclose(
        band(display.bands_[2]), np.column_stack([mean - error, mean + error])
    )
    assert len(display.lines_) == 4
    assert [line.get_label() for line in display.lines_] == ["together", "alone"] * 2
    assert len(TaskLearningCurveDisplay(**scores).plot(alone=False).lines_) == 2


def test_many_learning_curves_become_their_mean_and_quartiles() -> None:
    scores = some_learning_scores(29)
    scores["score_alone"][:, 3] = np.nan
    display = TaskLearningCurveDisplay(**scores).plot()
    together, alone = display.lines_
    np.testing.assert_allclose(together.get_xdata(), scores["train_sizes"].mean(axis=1))
    np.testing.assert_allclose(together.get_ydata(), scores["score_together"].mean(axis=1))
    known = np.delete(scores["score_alone"], 3, axis=1)
    np.testing.assert_allclose(alone.get_ydata(), known.mean(axis=1))
    np.testing.assert_allclose(band(display.bands_[1]), np.percentile(known, [25, 75], axis=1).T)
    assert display.ax_.get_title() == "mean and quartiles of 29 tasks"


def test_learning_curves_on_given_axes() -> None:
    scores = some_learning_scores(2)
    figure, axes = plt.subplots(1, 3)
    panels = TaskLearningCurveDisplay(**scores).plot(axes)
    assert panels.ax_.tolist() == axes[:2].tolist()
    assert panels.figure_ is figure
    single = TaskLearningCurveDisplay(**scores).plot(axes[2])
    np.testing.assert_allclose(single.lines_[0].get_ydata(), scores["score_together"].mean(axis=1))
    with pytest.raises(ValueError, match="ax has 1 axes, but 2 are drawn on"):
        TaskLearningCurveDisplay(**scores).plot(axes[:1])


def test_sizes_that_double_are_evenly_spaced() -> None:
    scores = some_learning_scores(1)
    scores["train_sizes"] = np.array([[16.0], [64.0], [1024.0]])
    display = TaskLearningCurveDisplay(**scores).plot()
    assert shown(display.ax_.xaxis) == ["16", "64", "1024"]
    assert display.ax_.get_xscale() == "log"
    assert TaskLearningCurveDisplay(**some_learning_scores(1)).plot().ax_.get_xscale() == "linear"


@pytest.mark.parametrize("sizes", [[], [0, 5], [0.5, 1.5], [True], ["all"]])
def test_wrong_train_sizes(sizes: Any) -> None:
    X, y, task = make_tasks(rows=5)
    with pytest.raises(ValueError, match="train_sizes must be positive integers"):
        TaskLearningCurveDisplay.from_estimator(RowCounter(), X, y, task=task, train_sizes=sizes)


def test_learning_curves_of_a_wrong_shape() -> None:
    scores = some_learning_scores(3)
    with pytest.raises(ValueError, match=r"score_alone_se has the shape \(2, 3\), train_sizes"):
        TaskLearningCurveDisplay(**{**scores, "score_alone_se": scores["score_alone_se"][:2]})
    with pytest.raises(ValueError, match=r"train_sizes must have a row .* shape is \(3,\)"):
        TaskLearningCurveDisplay(**{**scores, "train_sizes": [1, 2, 3]})
    with pytest.raises(ValueError, match="tasks has 1 names for 3 tasks"):
        TaskLearningCurveDisplay(**{**scores, "tasks": ["a"]})


# All displays


def similarity_display(n_tasks: int) -> CovarianceSimilarityDisplay:
    matrix = np.random.default_rng(0).random((n_tasks, n_tasks))
    return CovarianceSimilarityDisplay(matrix, tasks=LONG_NAMES[:n_tasks])


def weight_display(n_tasks: int) -> TaskWeightDisplay:
    weight = np.random.default_rng(0).random(n_tasks)
    return TaskWeightDisplay(weight, standard_error=weight / 9, tasks=LONG_NAMES[:n_tasks])


DISPLAYS: dict[str, Any] = {
    "similarity": similarity_display,
    "transfer": lambda n_tasks: TransferDisplay(some_matrix(n_tasks)),
    "weights": weight_display,
    "capacity": lambda n_tasks: CapacityDisplay(some_curve(n_tasks, n_sizes=14)),
    "learning": lambda n_tasks: TaskLearningCurveDisplay(**some_learning_scores(n_tasks)),
}


@pytest.mark.parametrize("n_tasks", [6, 139])
@pytest.mark.parametrize("name", DISPLAYS)
def test_tick_labels_never_overlap(name: str, n_tasks: int) -> None:
    display = DISPLAYS[name](n_tasks).plot()
    figure = display.figure_
    for size in (None, (6.0, 5.5)):  # as it is made, and after the user has made it smaller
        if size is not None:
            figure.set_size_inches(size)
        figure.draw_without_rendering()
        for ax in np.ravel(display.ax_):
            for axis in (ax.xaxis, ax.yaxis):
                found = boxes(axis)
                assert found or axis is ax.xaxis
                assert none_overlap(found)
    assert max(figure.get_size_inches()) <= 22


@pytest.mark.parametrize("name", ["similarity", "transfer", "weights"])
@pytest.mark.parametrize("numbers", [False, True])
def test_labels_of_many_tasks_in_small_axes(name: str, numbers: bool) -> None:
    display = DISPLAYS[name](139)
    if numbers and name == "transfer":
        display.matrix = replace(display.matrix, tasks=np.arange(139))
    elif numbers:
        display.tasks = list(range(139))
    _, ax = plt.subplots(figsize=(4, 3))
    display.plot(ax)
    for axis in (ax.xaxis, ax.yaxis):
        assert len(shown(axis)) >= 4
        assert none_overlap(boxes(axis))
    if name == "transfer":
        assert shown(ax.yaxis)[-1] == "all together"


@pytest.mark.parametrize("n_tasks", [2, 6])
@pytest.mark.parametrize("name", ["similarity", "transfer", "weights"])
def test_all_of_a_few_tasks_are_named(name: str, n_tasks: int) -> None:
    display = DISPLAYS[name](n_tasks).plot()
    names = {short_name(task) for task in LONG_NAMES[:n_tasks]}
    assert names <= {*shown(display.ax_.yaxis)}
    if name != "weights":
        assert names == {*shown(display.ax_.xaxis)}
    canvas = display.figure_.bbox
    for box in boxes(display.ax_.yaxis):
        assert canvas.x0 <= box.x0  # not cut off


def test_every_bar_of_139_has_its_name() -> None:
    display = weight_display(139).plot()
    assert len(shown(display.ax_.yaxis)) == 139


@pytest.mark.parametrize("name", DISPLAYS)
def test_given_axes_are_drawn_on(name: str) -> None:
    figure, axes = plt.subplots(1, 2)
    display = DISPLAYS[name](3)
    assert display.plot(axes[1]) is display
    assert display.ax_ is axes[1]
    assert display.figure_ is figure
    assert plt.get_fignums() == [figure.number]
    assert not axes[0].has_data()
    display.plot()
    assert len(plt.get_fignums()) == 2


def test_heat_maps_take_keywords_of_imshow() -> None:
    for name in ("similarity", "transfer"):
        display = DISPLAYS[name](2).plot(
            cmap="cividis", colorbar=False, im_kw={"vmin": -3, "vmax": 4}
        )
        assert display.im_.get_cmap().name == "cividis"
        assert display.im_.get_clim() == (-3, 4)
        assert display.colorbar_ is None
        assert len(display.figure_.axes) == 1


def test_names_are_short_and_no_formulas() -> None:
    assert short_name("  north\nwest ") == "north west"
    assert short_name("a" * 20) == "a" * 20
    assert short_name("customer reviews of electronics: cameras") == "customer rev…cameras"
    display = TaskWeightDisplay([1.0, 2.0], tasks=["$5 or 10$", "x"]).plot()
    display.figure_.draw_without_rendering()
    label = display.ax_.yaxis.get_major_ticks()[1].label1
    assert label._preprocess_math(label.get_text()) == ("$5 or 10$", False)


@pytest.mark.parametrize(
    ("scoring", "estimator", "expected"),
    [
        (None, DummyClassifier(), "accuracy"),
        (None, Ridge(), "R²"),
        ("r2", Ridge(), "R²"),
        ("roc_auc", DummyClassifier(), "ROC AUC"),
        ("balanced_accuracy", DummyClassifier(), "balanced accuracy"),
        ("neg_log_loss", DummyClassifier(), "negative log loss"),
        (
            make_scorer(mean_squared_error, greater_is_better=False),
            Ridge(),
            "negative mean squared error",
        ),
        (n_rows_trained_on, Ridge(), "n rows trained on"),
        (lambda *_: 0.0, Ridge(), "score"),
    ],
)
def test_scores_have_names(scoring: Any, estimator: Any, expected: str) -> None:
    assert score_label(scoring, estimator) == expected


def test_pictures_need_no_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoPandas:
        def find_spec(self, name: str, *_: Any) -> None:
            if name == "pandas":
                raise ImportError(name)

    monkeypatch.delitem(sys.modules, "pandas", raising=False)
    monkeypatch.setattr(sys, "meta_path", [NoPandas(), *sys.meta_path])
    with pytest.raises(ImportError):
        some_matrix(2).to_frame()
    X, y, task = make_tasks(rows=10)
    CovarianceSimilarityDisplay.from_data(X, task=task)
    TaskWeightDisplay.from_estimator(SVDTaskReweighter().fit(X, y, task=task))
    TaskLearningCurveDisplay.from_estimator(
        RowCounter(), X, y, task=task, cv=2, train_sizes=[1.0], scoring=n_rows_trained_on
    )
    for make in DISPLAYS.values():
        make(3).plot()
        plt.close("all")


@pytest.mark.parametrize("name", DISPLAYS)
def test_without_matplotlib(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    display = DISPLAYS[name](2)
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "matplotlib", None)
        with pytest.raises(ImportError, match=rf'{type(display).__name__}.plot .*"sk-mtl\[plot\]"'):
            display.plot()
        n_others = {"weights": 0, "similarity": 1}.get(name, 2)
        with pytest.raises(ImportError, match="from_estimator draws with matplotlib"):
            type(display).from_estimator(None, *[None] * n_others)


def test_import_needs_no_matplotlib() -> None:
    code = "import sys, sk_mtl.plotting; print(*({'matplotlib', 'torch'} & {*sys.modules}))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "\n"


def test_learning_curves_of_values_end_at_the_scores_of_all_rows() -> None:
    X, _, task = make_tasks()
    y = X[:, 0] + np.random.default_rng(0).standard_normal(len(X))
    model = MultiTaskAlignedRegressor(hidden_layer_sizes=(), alignment=None)
    settings: dict[str, Any] = {"task": task, "cv": 2, "random_state": 0}
    display = TaskLearningCurveDisplay.from_estimator(
        model, X, y, train_sizes=[5, 1000], **settings
    )
    matrix = transfer_matrix(model, X, y, **settings)
    np.testing.assert_array_equal(display.train_sizes[0], 5)
    np.testing.assert_allclose(display.score_together[1], matrix.score_together, rtol=1e-6)
    np.testing.assert_allclose(display.score_alone[1], matrix.score_alone, rtol=1e-6)


def test_as_many_panels_as_tasks() -> None:
    scores = np.full((2, 4), 0.5)
    display = TaskLearningCurveDisplay(
        train_sizes=np.repeat([[5], [10]], 4, axis=1),
        score_together=scores,
        score_together_se=0.1 * scores,
    ).plot()
    assert len(display.ax_) == len(display.figure_.axes) == 4
