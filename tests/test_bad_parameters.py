"""Wrong parameters: every one of every estimator, and of the functions, each with its message.

As in `test_bad_input`, a message names the value and what is allowed, and a fitted estimator
whose next fit fails is as it was.
"""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, log_loss
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from bad_rows import NAN, put
from fitted_models import MODELS, TASK, WIDE, N, X, Y, answers, linear, saved
from sk_mtl import MultiTaskAlignedClassifier, MultiTaskAlignedRegressor
from sk_mtl.datasets import (
    make_covariance_tasks,
    make_decision_boundary_tasks,
    make_noisy_label_tasks,
)
from sk_mtl.diagnostics import (
    alignment_similarity,
    capacity_curve,
    covariance_similarity,
    group_tasks,
    task_direction_similarity,
    transfer_matrix,
    transfer_report,
)
from sk_mtl.metrics import TaskScorer
from sk_mtl.model_selection import LeaveOneTaskOut, TaskStratifiedKFold
from sk_mtl.preprocessing import keep_task, melt_tasks, stack_tasks


class _Odd(torch.nn.Module):
    """A module that makes numbers of another kind, or times a number and over it."""

    def __init__(self, dtype: torch.dtype, number: float = 1.0) -> None:
        super().__init__()
        self.dtype, self.number = dtype, number

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return (self.number * rows / self.number).to(self.dtype)


def _script() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch has come to advise against TorchScript
        return torch.jit.script(torch.nn.Linear(3, 2))


ONE_OR_MORE = "an int in the range [1, inf)"
NOT_NEGATIVE = "in the range [0"
BOOL = "an instance of 'bool'"
TRUNK: dict[str, list[tuple[Any, str]]] = {
    "hidden_layer_sizes": [
        (0, ONE_OR_MORE),
        (1.5, ONE_OR_MORE),
        ("wide", "an array-like or an int"),
        ((8, 0), "positive integers; got [0]"),
        ((2.5,), "positive integers; got [2.5]"),
    ],
    "activation": [("gelu", "a str among"), (None, "a str among")],
    "skip_connection": [(1, BOOL), ("yes", BOOL)],
    "shared_module": [
        ("lstm", "a callable or None"),
        (torch.nn.Linear(7, 2), "shared_module failed on rows of shape (2, 3)"),
        (int, "made a int; it must make an nn.Module"),
        (torch.nn.Linear, "could not be called with [3]"),
        (_script(), "of TorchScript, whose parameters"),
        (_Odd(torch.long), "made torch.int64 numbers of finite rows"),
        (_Odd(torch.float64, 0.0), "[nan, nan, nan] of the first. It must return finite ones"),
    ],
    "input_scaling": [("minmax", "a str among"), (True, "or None")],
}
NETWORK: dict[str, list[tuple[Any, str]]] = {
    "alignment": [("half", "or None"), (True, "or None")],
    "alignment_alpha": [(-1, NOT_NEGATIVE), (NAN, NOT_NEGATIVE), (None, NOT_NEGATIVE)],
    "alignment_rank": [(0, ONE_OR_MORE), (1.5, ONE_OR_MORE)],
    "alignment_init": [("zeros", "a str among")],
    "alpha": [(-1, NOT_NEGATIVE), (np.inf, NOT_NEGATIVE), ("0.1", NOT_NEGATIVE), (1j, "a float")],
    "head_alpha": [(-1, NOT_NEGATIVE), ("tight", NOT_NEGATIVE), (NAN, NOT_NEGATIVE)],
    "task_weight": [
        ("even", "a str among"),
        (3, "an array-like"),
        ([1.0], "one entry per task"),
        ([1.0, NAN], "finite and non-negative"),
        ([1.0, -1.0], "finite and non-negative"),
        ([0.0, 0.0], "a sum from 1e-100 to 1e+100"),
        ([1e308, 1e308], "better a mean of 1; got [1e+308"),
        (["a", "b"], "must hold numbers"),
        ({"north": 1.0}, "missing: ['south']"),
        ({"north": 1, "south": 1, "west": 1}, "Unknown: ['west']"),
    ],
    "task_column": [([1], "Hashable"), ("shop", "named twice: task_column='shop'")],
    "solver": [("sgd", "a str among"), (None, "a str among")],
    "batch_size": [(0, ONE_OR_MORE), ("all", "{'auto'}"), (1.5, ONE_OR_MORE)],
    "learning_rate_init": [(0, "(0"), (-0.1, "(0"), (np.inf, "(0"), ("fast", "(0")],
    "max_iter": [(0, ONE_OR_MORE), (1.5, ONE_OR_MORE), (None, ONE_OR_MORE)],
    "tol": [(-1e-4, NOT_NEGATIVE), (NAN, NOT_NEGATIVE)],
    "shuffle": [("no", BOOL)],
    "early_stopping": [("yes", BOOL), (None, BOOL)],
    "validation_fraction": [(0.0, "(0"), (1.0, "1.0)"), (NAN, "(0")],
    "n_iter_no_change": [(0, ONE_OR_MORE), (1.5, ONE_OR_MORE)],
    "warm_start": [("yes", BOOL)],
    "device": [("gpu", "cannot be used here"), (3, "an instance of 'str'")],
    "dtype": [("float16", "a str among"), (np.float64, "a str among")],
    "callbacks": [(3, "an instance of 'list'"), ([3], "holds 3, which is no skorch callback")],
    "net_params": [
        (3, "Mapping"),
        ({"lr": 1}, "must not hold 'lr'. The estimator's parameter for it: learning_rate_init"),
        ({"foo": 1}, "must not hold 'foo'. It is for optimizer"),
        ({3: 1}, "must not hold 3. It is for optimizer"),
        ({"iterator_train__foo": 1}, "must not hold 'iterator_train__foo'. It is for"),
        ({"callbacks__foo": 1}, "must not hold 'callbacks__foo': the callbacks are ["),
        ({"optimizer": torch.optim.SGD}, 'Pass solver="adam"'),
    ],
    "random_state": [("seed", "an int in the range [0"), (-1, "an int in the range [0")],
    "verbose": [("a", "an int in the range [0"), (-1, "an int in the range [0")],
}
OF_TASKS: dict[str, list[tuple[Any, str]]] = {
    "alignment_schedule": [("both", "a str among")],
    "task_groups": [
        ("ab", "an array-like or None"),
        (["a"], "a group for each of the 2 tasks"),
        ({"north": 1}, "no group for the tasks ['south']"),
        (["a", NAN], "holds nan, which is no name of a group"),
    ],
}
SEARCH: dict[str, list[tuple[Any, str]]] = {
    "penalties": [
        (0, ONE_OR_MORE),
        ("few", "an array-like or an int"),
        ([], "a list of numbers; got []"),
        ([-1.0], "positive and finite; got [-1.0]"),
        ([NAN], "positive and finite; got [nan]"),
        ([[1.0]], "a list of numbers; got [[1.0]]"),
    ],
    "hidden_layer_sizes": TRUNK["hidden_layer_sizes"],
    "activation": TRUNK["activation"],
    "alignment": NETWORK["alignment"],
    "alignment_alphas": [(3, "an array-like"), ([0.0], "positive and finite; got [0.0]")],
    "alignment_rank": NETWORK["alignment_rank"],
    "cv": [(1, "an int in the range [2"), ("folds", "an int in the range [2")],
    "task_weight": [("uncertainty", "a str among {'balanced'}"), ([1.0], "one entry per task")],
    "task_groups": OF_TASKS["task_groups"],
    "task_column": NETWORK["task_column"],
    "max_iter": NETWORK["max_iter"],
    "tol": NETWORK["tol"],
    "n_jobs": [(1.5, "an instance of 'int'"), ("all", "an instance of 'int'")],
    "random_state": NETWORK["random_state"],
}
SELECTIVE: dict[str, list[tuple[Any, str]]] = {
    "multi_task": [
        (3, "an object implementing 'fit' and 'predict'"),
        (LogisticRegression, "is a class. Pass an object: LogisticRegression()"),
        (LogisticRegression(), "does not take task=. Pass the tasks as a column"),
    ],
    "single_task": [
        ("ridge", "an object implementing 'fit' and 'predict'"),
        (Ridge, "is a class. Pass an object: Ridge()"),
    ],
    "cv": [
        (1, "an int in the range [2"),
        ("folds", "an int in the range [2"),
        ([(np.arange(N) < 9, np.arange(N) > 8)], "Pass pairs of lists of row numbers"),
        ([(np.arange(20), np.arange(20, 30))], "cv names row 24; X has the rows 0 to 23"),
        ([(np.arange(20), [-1])], "cv names row -1; X has the rows 0 to 23"),
    ],
    "scoring": [("best", "a str among"), (3, "a callable or None")],
    "blend": [(3, BOOL)],
    "task_column": NETWORK["task_column"],
    "n_jobs": SEARCH["n_jobs"],
    "random_state": NETWORK["random_state"],
}
REWEIGHTER: dict[str, list[tuple[Any, str]]] = {
    "n_components": [
        (0, ONE_OR_MORE),
        (1.5, "a float in the range (0"),
        (1.0, "a float in the range (0"),
        (NAN, "a float in the range (0"),
        (3, "n_components=3 must be at most 2"),
    ],
    "center": [("yes", BOOL)],
    "scale": [(3, BOOL)],
    "shrinkage": [(-0.1, "in the range [0"), (1.1, "in the range [0"), (NAN, "in the range [0")],
    "aligner": [(Ridge(), "an object implementing 'fit' and 'align'")],
    "task_column": NETWORK["task_column"],
}
TRANSFER: dict[str, list[tuple[Any, str]]] = NETWORK | {
    "source": [
        (3, "an object implementing 'fit'"),
        (Ridge(), "source must be a fitted MultiTaskAlignedClassifier; got Ridge()"),
        (MultiTaskAlignedRegressor(), "must be a fitted MultiTaskAlignedClassifier"),
        (linear(), "is not fitted. Fit it first"),
    ],
    "fine_tune_epochs": [(-1, "an int in the range [0"), (1.5, "an int in the range [0")],
    "task_weight": [("even", "a str among"), ([1.0, 2.0], "one entry per task, 1 in all")],
    "task_column": [([1], "Hashable"), ("shop", "names a column, but X is a ndarray")],
}
PARAMETERS = {
    "aligned": TRUNK | NETWORK | OF_TASKS,
    "regressor": TRUNK | NETWORK | OF_TASKS,
    "searched": SEARCH,
    "searched regressor": SEARCH,
    "selective": SELECTIVE
    | {
        "single_task": [*SELECTIVE["single_task"], (Ridge(), "has no predict_proba, which is what")]
    },
    "selective regressor": SELECTIVE,
    "reweighter": REWEIGHTER,
    "transfer": TRANSFER,
}


@pytest.mark.parametrize("model", PARAMETERS)
def test_every_parameter_has_a_case(model: str) -> None:
    estimator = MODELS[model][0]()
    assert set(PARAMETERS[model]) == set(estimator.get_params(deep=False))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("model", "name", "value", "allowed"),
    [
        pytest.param(model, name, value, allowed, id=f"{model}-{name}={value!r:.30}")
        for model, parameters in PARAMETERS.items()
        for name, cases in parameters.items()
        for value, allowed in cases
    ],
)
def test_a_wrong_parameter_is_named_and_the_fitted_model_stays(
    model: str, name: str, value: Any, allowed: str
) -> None:
    estimator, good = pickle.loads(saved(model)), MODELS[model][1]
    attributes = set(vars(estimator))
    before, was = answers(estimator, good), estimator.get_params(deep=False)[name]
    estimator.set_params(**{name: value})
    error = NotFittedError if "not fitted" in allowed else ValueError
    with pytest.raises(error, match=re.escape(allowed)) as caught:
        estimator.fit(**good)
    message = str(caught.value)
    assert name in message or repr(value) in message
    if "parameter of" in message:  # scikit-learn's
        assert message.endswith(f"Got {value!r} instead.")
    assert estimator.get_params(deep=False)[name] is value
    estimator.set_params(**{name: was})
    assert set(vars(estimator)) == attributes
    for now, then in zip(answers(estimator, good), before, strict=True):
        assert_array_equal(now, then)


@pytest.mark.parametrize("value", [True, 3, "x", [], {}, Ridge, NAN])
@pytest.mark.parametrize("model", PARAMETERS)
def test_only_a_fit_minds_a_wrong_parameter(model: str, value: Any) -> None:
    """Pipelines, scorers and notebooks ask for tags and print what was never fitted."""
    for name in PARAMETERS[model]:
        estimator = clone(MODELS[model][0]()).set_params(**{name: value})
        get_tags(estimator)
        assert repr(estimator).startswith(type(estimator).__name__)
        assert estimator._repr_html_()
        with pytest.raises(NotFittedError):
            check_is_fitted(estimator)


def test_a_factory_of_torchscript_is_refused_too() -> None:
    with pytest.raises(ValueError, match=r"Pass the nn\.Module that it was made from"):
        MultiTaskAlignedClassifier(shared_module=_script).fit(X, Y, task=TASK)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"optimizer": 3}, "'int' object is not callable. See skorch's NeuralNet"),
        ({"optimizer__foo": 1}, "unexpected keyword argument 'foo'. See skorch's NeuralNet"),
        ({"optimizer__lr": 1}, "must not hold 'optimizer__lr'.*learning_rate_init"),
    ],
)
def test_arguments_of_the_net_that_cannot_be(params: dict[str, Any], message: str) -> None:
    model = linear(solver="adam", net_params=params)
    with pytest.raises(ValueError, match=f"net_params.*{message}"):
        model.fit(X, Y, task=TASK)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"alignment": "low_rank", "alignment_rank": 9}, "alignment_rank=9 exceeds .* 3. Reduce"),
        ({"early_stopping": True, "validation_fraction": 1e-9}, "leaves no row.*another"),
    ],
)
def test_parameters_that_do_not_fit_the_data(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MultiTaskAlignedClassifier(**params).fit(X, Y, task=TASK)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([5, 6], r"label 0 for task 'north', whose labels are \[5, 6\]|label 1 for task"),
        (3, r"classes must list the labels of every task.* got 3"),
        ([], r"classes must list the labels of every task.* got \[\]"),
        ([[0, 1], [0]], r"classes must list the labels .* got \[\[0, 1\], \[0\]\]"),
        ({"north": [0, 1]}, r"classes names no labels for the tasks \['south'\]"),
        ({"north": "01", "south": [0, 1]}, r"classes must list the labels .* got '01'"),
        ([0, 1, NAN], r"classes must not hold missing labels; got \[0, 1, nan\]. Leave"),
        (["a", 1], r"classes mixes values of different types \(number, str\). Convert"),
    ],
)
def test_classes_of_partial_fit(classes: Any, message: str) -> None:
    model = linear(solver="adam")
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X, Y, task=TASK, classes=classes)
    assert not model.__sklearn_is_fitted__()
    assert set(vars(model)) == set(vars(clone(model)))


def fitted() -> MultiTaskAlignedClassifier:
    return pickle.loads(saved("classifier"))


def split(splitter: Any, *args: Any, **kwargs: Any) -> Any:
    return list(splitter.split(*args, **kwargs))


FUNCTIONS: list[tuple[Callable[[], Any], str]] = [
    (lambda: keep_task(), r"keep_task\(StandardScaler\(\)\)"),
    (lambda: keep_task(3), r"3 is no transformer. Pass an object with fit and transform"),
    (lambda: keep_task(StandardScaler), r"StandardScaler.* is no transformer. Pass an object"),
    (lambda: keep_task(StandardScaler(), task_column=[1]), r"a name or a position; got \[1\]"),
    (lambda: keep_task(StandardScaler(), task_column=None), r"a name or a position; got None"),
    (lambda: keep_task(StandardScaler(), task_column=9).fit(X), r"task_column=9 is out of range"),
    (lambda: stack_tasks([]), r"a list of pairs \(X, y\), .* got \[\]"),
    (lambda: stack_tasks(3), r"a list of pairs \(X, y\), .* got 3"),  # type: ignore[arg-type]
    (lambda: stack_tasks([X]), r"a list of pairs \(X, y\)"),  # type: ignore[list-item]
    (lambda: stack_tasks([(X, Y), (X[:, :2], Y)]), r"Task 1 has the features \[0, 1\].*same"),
    (lambda: stack_tasks([(X, Y[:3])]), r"X has 24 rows, y has 3. Pass the same rows"),
    (lambda: stack_tasks({"a": (X, Y), 1: (X, Y)}), r"\(number, str\). Convert"),
    (lambda: stack_tasks([(X, WIDE)]), r"y of task 0 has several columns. Pass one label"),
    (lambda: melt_tasks(X, Y), r"one label per row: there is nothing to melt. Pass a column"),
    (lambda: melt_tasks(X, WIDE * NAN), r"Y holds no label: all of its entries are missing"),
    (lambda: melt_tasks(None, WIDE), r"X must be a table; got shape \(\). Pass one row"),
    (lambda: melt_tasks(X, WIDE + 1j), r"column 0 of Y is complex: pass its real part"),
    (lambda: TaskScorer("accuracy"), r"a function of .* got 'accuracy'"),  # type: ignore[arg-type]
    (lambda: TaskScorer(log_loss, response_method="logits"), r"one of .*; got 'logits'"),
    (lambda: TaskScorer(log_loss, average="median"), r"one of .*; got 'median'"),
    (
        lambda: TaskScorer(log_loss, greater_is_better="no"),  # type: ignore[arg-type]
        r"True or False; got 'no'",
    ),
    (lambda: TaskScorer(accuracy_score)(fitted(), X, Y), r"does not know the tasks.*task_column="),
    (lambda: TaskScorer(accuracy_score)(fitted(), X, Y[:3], task=TASK), r"y has 3. Pass"),
    (lambda: TaskScorer(accuracy_score)(fitted(), X, Y, task=TASK[:3]), r"task 3 entries. Pass"),
    (
        lambda: TaskScorer(accuracy_score)(fitted(), X, Y, task=TASK, sample_weight=[1]),
        r"shape \(1,\); pass one weight for each of the 24 rows",
    ),
    (
        lambda: TaskScorer(accuracy_score, task_column=0)(fitted(), X, Y, task=TASK),
        r"named twice: task_column=0",
    ),
    (lambda: split(TaskStratifiedKFold(1), X, Y, task=TASK), r"n_splits=1 .* between 2 and"),
    (lambda: split(TaskStratifiedKFold(99), X, Y, task=TASK), r"n_splits=99 .* rows, 24"),
    (lambda: split(TaskStratifiedKFold(2.5), X, Y, task=TASK), r"n_splits=2.5"),  # type: ignore[arg-type]
    (lambda: split(TaskStratifiedKFold(2, shuffle="no"), X, Y, task=TASK), r"got 'no'"),  # type: ignore[arg-type]
    (lambda: split(TaskStratifiedKFold(2, random_state="a"), X, Y, task=TASK), r"'a' cannot be"),
    (lambda: split(TaskStratifiedKFold(2), X, Y), r"needs the rows' tasks .* got neither"),
    (lambda: split(TaskStratifiedKFold(2), X, Y[:3], task=TASK), r"each of 24 rows; got \(3,\)"),
    (lambda: split(TaskStratifiedKFold(2), X, WIDE, task=TASK), r"one label .* got \(24, 2\)"),
    (lambda: split(TaskStratifiedKFold(2), X, put(Y, 0, NAN), task=TASK), r"1 rows .* Drop"),
    (lambda: split(TaskStratifiedKFold(2), X, Y, task=TASK[:3]), r"3 entries for 24 rows"),
    (lambda: split(LeaveOneTaskOut(), X), r"needs the rows' tasks .* got neither"),
    (lambda: split(LeaveOneTaskOut(), X, task=["a"] * N), r"two tasks at least; got one"),
    (lambda: split(LeaveOneTaskOut(task_column=9), X), r"task_column=9 is out of range"),
    (lambda: covariance_similarity(X), r"compares tasks: pass X2, task="),
    (lambda: covariance_similarity([]), r"compares tasks: pass X2, task="),
    (lambda: covariance_similarity(X, X[:, :2]), r"same features; .*'X1': 3, 'X2': 2"),
    (lambda: covariance_similarity(X, X, 1.5), r"energy must be in \(0, 1\]; got 1.5"),
    (lambda: covariance_similarity(X, X, "a"), r"energy must be in \(0, 1\]; got 'a'"),  # type: ignore[arg-type]
    (lambda: covariance_similarity(X, X, task=TASK), r"two ways, by \['X2', 'task'\]. Pass one"),
    (lambda: covariance_similarity(X, 0 * X), r"'X2' are 0: .* Leave the task out"),
    (lambda: covariance_similarity(X, "a"), r"X of task 'X2' must be a table of numbers: got 'a'"),
    (lambda: covariance_similarity(X, task=TASK[:3]), r"3 entries for 24 rows. Pass one id"),
    (lambda: task_direction_similarity(X, Y, task=TASK, center="a"), r"'center' .* Got 'a'"),  # type: ignore[arg-type]
    (lambda: alignment_similarity(fitted(), X, TASK), r"has no alignment"),
    (lambda: alignment_similarity(linear(), X), r"is not fitted yet. Call 'fit'"),
    (lambda: alignment_similarity(Ridge().fit(X, Y), X), r"Ridge\(\) has no alignment"),
    (lambda: transfer_matrix(3, X, Y, task=TASK), r"estimator=3 is none. Pass an object"),
    (lambda: transfer_matrix(Ridge, X, Y, task=TASK), r"Ridge.*is none. Pass an object"),
    (lambda: transfer_matrix(Ridge(), X, Y, task=TASK), r"does not take task=. Pass the tasks"),
    (lambda: transfer_matrix(StandardScaler(), X, Y), r"neither a classifier nor a regressor"),
    (lambda: transfer_matrix(linear(), X, Y, task=TASK, cv=1), r"n_splits=1 must be between 2"),
    (lambda: transfer_matrix(linear(), X, Y, task=TASK, cv="a"), r"(?s)cv`? as an integer.*Got a"),
    (
        lambda: transfer_matrix(linear(), X, Y, task=TASK, cv=[([0], [99])]),
        r"cv names row 99; X has the rows 0 to 23",
    ),
    (lambda: transfer_matrix(linear(), X, Y, task=TASK, scoring="a"), r"'a' is not a valid scor"),
    (lambda: transfer_matrix(linear(), X[:3], Y[:3], task=list("aab")), r"'b' has 1 labelled"),
    (lambda: transfer_report(linear(), X, Y, task=TASK, pairs="some"), r'"auto"; got \'some\''),
    (lambda: transfer_report(linear(), 0 * X, Y, task=TASK), r"All features are constant"),
    (lambda: capacity_curve(linear(), X, Y, task=TASK, capacities=[0]), r"integers; got \[0\]"),
    (lambda: capacity_curve(linear(), X, Y, task=TASK, capacities=3), r"integers; got 3"),  # type: ignore[arg-type]
    (lambda: capacity_curve(linear(), X, Y, task=TASK, param_name="size"), r"parameter 'size'"),
    (lambda: capacity_curve(linear(), X, Y, task=TASK, param_name=3), r"name of .* got 3"),  # type: ignore[arg-type]
    (lambda: group_tasks(X), r"square matrix; got shape \(24, 3\)"),
    (lambda: group_tasks(np.eye(3), ["a", "a", "b"]), r"each of the 3 tasks .* got \['a', 'a'"),
    (lambda: group_tasks(np.eye(3), [{}, {}, {}]), r"holds {}, which cannot be sorted"),
    (lambda: group_tasks(np.eye(3), n_groups=4), r"from 1 to 3; got 4"),
    (lambda: group_tasks(np.eye(3), n_groups=1.5), r"integer from 1 to 3; got 1.5"),  # type: ignore[arg-type]
    (lambda: group_tasks(np.eye(3), n_groups=2, threshold=0.1), r"n_groups or threshold, not"),
    (lambda: group_tasks(np.eye(3), threshold=NAN), r"threshold must be a number; got nan"),
    (lambda: group_tasks(np.eye(3), threshold="a"), r"threshold must be a number; got 'a'"),  # type: ignore[arg-type]
    (lambda: group_tasks(NAN * np.eye(3)), r"no finite entry"),
    (lambda: make_covariance_tasks(n_samples=0), r"'n_samples' .* Got 0"),
    (lambda: make_covariance_tasks(n_samples=(5, 0)), r"n_samples=\(5, 0\) must be a positive"),
    (lambda: make_covariance_tasks(n_features=0), r"'n_features' .* \[1, inf\). Got 0"),
    (lambda: make_covariance_tasks(n_samples=[5] * 9, n_features=3), r"9 tasks .*n_features=3"),
    (lambda: make_covariance_tasks(condition_number=0.5), r"'condition_number' .* Got 0.5"),
    (lambda: make_covariance_tasks(cosine=2), r"'cosine' .* \[-1.0, 1.0\]. Got 2"),
    (lambda: make_covariance_tasks(n_samples=[5] * 4, cosine=-0.9), r"cosine=-0.9 .* at least"),
    (lambda: make_covariance_tasks(overlap=1.5), r"'overlap' .* Got 1.5"),
    (lambda: make_covariance_tasks(same_rotation="no"), r"'same_rotation' .* Got 'no'"),  # type: ignore[arg-type]
    (lambda: make_covariance_tasks(noise=-1), r"'noise' .* Got -1"),
    (lambda: make_covariance_tasks(coef=3), r"'coef' .* Got 3"),  # type: ignore[arg-type]
    (lambda: make_covariance_tasks(random_state="a"), r"'random_state' .* Got 'a'"),
    (lambda: make_noisy_label_tasks(n_samples=2.5), r"'n_samples' .* Got 2.5"),  # type: ignore[arg-type]
    (lambda: make_noisy_label_tasks(n_tasks=0), r"'n_tasks' .* Got 0"),
    (lambda: make_noisy_label_tasks(capacity=99), r"capacity.*Reduce capacity"),
    (lambda: make_noisy_label_tasks(binary="no"), r"'binary' .* Got 'no'"),  # type: ignore[arg-type]
    (lambda: make_noisy_label_tasks(noisy_tasks=[9]), r"names 9, but the tasks are 0 to 3"),
    (lambda: make_noisy_label_tasks(noisy_tasks=3), r"'noisy_tasks' .* Got 3"),  # type: ignore[arg-type]
    (lambda: make_noisy_label_tasks(label_noise=-0.1), r"'label_noise' .* Got -0.1"),
    (lambda: make_noisy_label_tasks(missing=1.0), r"'missing' .* \[0.0, 1.0\). Got 1.0"),
    (lambda: make_decision_boundary_tasks(n_features=1), r"'n_features' .* \[2, inf\). Got 1"),
    (lambda: make_decision_boundary_tasks(angle=NAN), r"'angle' .* Got nan"),
    (lambda: make_decision_boundary_tasks(shift=np.inf), r"'shift' .* Got inf"),
    (lambda: make_decision_boundary_tasks(class_sep=-1), r"'class_sep' .* Got -1"),
]


@pytest.mark.parametrize(("call", "message"), FUNCTIONS, ids=[m[:40] for _, m in FUNCTIONS])
def test_wrong_arguments_of_functions(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
