"""Pickle, skops and `save`: what comes back is the estimator that went in."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
import torch
from safetensors.numpy import load as load_tensors
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, EpochScoring

import sk_mtl._files
from helpers import make_tasks
from sk_mtl import (
    AlignedTransferClassifier,
    MultiTaskAlignedClassifier,
    MultiTaskAlignedClassifierCV,
    MultiTaskAlignedRegressor,
    MultiTaskAlignedRegressorCV,
    SelectiveTransferClassifier,
    SelectiveTransferRegressor,
    SVDTaskReweighter,
    _codec,
)
from sk_mtl.persistence import trusted_types
from sk_mtl.preprocessing import keep_task

X, Y, TASK = make_tasks(rows=12)
SMALL: dict[str, Any] = {"hidden_layer_sizes": (3,), "random_state": 0}
ADAM: dict[str, Any] = {"solver": "adam", "max_iter": 3, "tol": 0, **SMALL}
WIDE = np.where(np.random.default_rng(0).random((len(X), 3)) < 0.2, np.nan, X[:, :3] > 0)


class Encoder(torch.nn.Module):
    """A user's module, with a layer whose size shows when the first rows come."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.LazyLinear(4), torch.nn.BatchNorm1d(4))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.layers(rows)
        return out


def fitted_stacked() -> Any:
    return MultiTaskAlignedClassifier(**SMALL).fit(X, Y, task=TASK)


def fitted_with_added_tasks() -> Any:
    model = MultiTaskAlignedClassifier(alignment="low_rank", alignment_rank=2, **SMALL)
    model.fit(X, Y, task=TASK).add_task(X[:30], np.where(X[:30, 0] > 0, 5, 6), task=7)
    return model.set_params(alignment=None).add_task(X[:30], Y[:30], task=[8, 9] * 15)


def fitted_transfer() -> Any:
    source = MultiTaskAlignedClassifier(alignment="full", alignment_init="coral", **SMALL)
    source.fit(X, Y, task=TASK)
    model = AlignedTransferClassifier(FrozenEstimator(source), fine_tune_epochs=3, random_state=1)
    return model.fit(X[:40], Y[:40])


def fitted_task_column() -> Any:
    frame = pd.DataFrame(X, columns=list("abcde"))
    frame["shop"] = np.array(["north", "south", "west"])[TASK]
    weight = SVDTaskReweighter(n_components=1, shrinkage=0.5)
    model = MultiTaskAlignedClassifier(task_column="shop", task_weight=weight, **SMALL)
    return model.fit(frame, np.where(Y, "yes", "no"))


def fitted_wide() -> Any:
    names = pd.Index(["a", ("b", 1), 3], dtype=object, tupleize_cols=False)
    return MultiTaskAlignedClassifier(**SMALL).fit(X, pd.DataFrame(WIDE, columns=names))


def fitted_mixed_labels() -> Any:
    y = np.where(TASK == 0, np.where(Y, "a", "b"), np.where(Y, "c", "d")).astype(object)
    weight = {-3: 1.0, 0: 2.0, 10**12: np.float32(3)}
    model = MultiTaskAlignedClassifier(
        alignment="diagonal", activation="tanh", task_weight=weight, **SMALL
    )
    return model.fit(X, y, task=np.array(list(weight))[TASK])


def fitted_by_adam() -> Any:
    random_state = np.random.RandomState(3)
    model = MultiTaskAlignedClassifier(**ADAM | {"random_state": random_state})
    return model.partial_fit(X, Y, task=TASK).partial_fit(X, Y, task=TASK)


def fitted_early_stopping() -> Any:
    model = MultiTaskAlignedRegressor(
        early_stopping=True, task_weight="uncertainty", dtype="float64", **ADAM
    )
    with pytest.warns(match="max_iter"):
        return model.fit(X, X[:, 0] + TASK, task=TASK)


def fitted_wide_regressor() -> Any:
    Z = np.where(np.isnan(WIDE), np.nan, X[:, :3])
    return MultiTaskAlignedRegressor(alignment="full", **SMALL).fit(X, Z)


def fitted_reweighter() -> Any:
    return SVDTaskReweighter(n_components=2).fit(X, X[:, 0] * (TASK + 1), task=TASK)


def fitted_aligned_reweighter() -> Any:
    aligner = MultiTaskAlignedClassifier(**SMALL)
    return SVDTaskReweighter(aligner=aligner).fit(X, Y, task=TASK)


def fitted_cv() -> Any:
    model = MultiTaskAlignedClassifierCV(penalties=3, hidden_layer_sizes=(3,), random_state=0)
    model.fit(X, Y, task=TASK)
    model.network_share_ = np.array([0.0, 0.5, 1.0])
    return model


def fitted_cv_regressor() -> Any:
    model = MultiTaskAlignedRegressorCV(penalties=3, hidden_layer_sizes=(3,), random_state=0)
    return model.fit(X, np.where(np.isnan(WIDE), np.nan, X[:, :3]))


def fitted_selective() -> Any:
    model = SelectiveTransferClassifier(MultiTaskAlignedClassifier(**SMALL), cv=2, random_state=0)
    return model.fit(X, Y, task=TASK)


def fitted_selective_regressor() -> Any:
    model = SelectiveTransferRegressor(MultiTaskAlignedRegressor(**SMALL), cv=2, random_state=0)
    return model.fit(X, X[:, :2])


FITTED: dict[str, Callable[[], Any]] = {
    name.removeprefix("fitted_"): maker
    for name, maker in list(globals().items())
    if name.startswith("fitted_")
}


def by_file(model: Any, folder: Path) -> Any:
    model.save(folder / "model")
    return type(model).load(folder / "model")


def by_pickle(model: Any, folder: Path) -> Any:
    return pickle.loads(pickle.dumps(model))


def by_skops(model: Any, folder: Path) -> Any:
    return skops.io.loads(skops.io.dumps(model), trusted=trusted_types())


def by_deepcopy(model: Any, folder: Path) -> Any:
    return copy.deepcopy(model)


ROUTES = [by_file, by_pickle, by_skops, by_deepcopy]


def assert_same(one: Any, two: Any, where: str = "") -> None:
    """The same type and values, bit for bit, however deep."""
    assert type(one) is type(two), where
    if isinstance(one, np.ndarray):
        assert one.dtype == two.dtype, where
        np.testing.assert_array_equal(one, two, err_msg=where)
    elif isinstance(one, dict):
        assert list(one) == list(two), where
        for key in one:
            assert_same(one[key], two[key], f"{where}.{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(two), where
        for j, pair in enumerate(zip(one, two, strict=True)):
            assert_same(*pair, f"{where}.{j}")
    elif isinstance(one, torch.nn.Module):
        assert_same(one.state_dict(), two.state_dict(), where)
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, two), where
    elif isinstance(one, np.random.RandomState):
        assert_same(one.get_state(), two.get_state(), where)
    elif isinstance(one, BaseEstimator) and not hasattr(one, "module_"):
        assert_same(dict(sorted(vars(one).items())), dict(sorted(vars(two).items())), where)
    elif isinstance(one, float):
        assert one == two or (np.isnan(one) and np.isnan(two)), where
    elif isinstance(one, BaseEstimator):
        assert_same(state_of(one), state_of(two), where)
    elif hasattr(one, "__dataclass_fields__"):
        assert_same(vars(one), vars(two), where)
    else:
        assert one == two, where


def state_of(model: Any) -> dict[str, Any]:
    """Everything that a user, or a further fit, may see of an estimator."""
    state = {key: value for key, value in vars(model).items() if key not in ("net_", "_added")}
    if hasattr(model, "net_"):
        state |= {
            "history": list(model.net_.history),
            "optimizer": model.net_.optimizer_.state_dict(),
            "module": model.module_,
            "alignment": model.alignment_,
            "net": type(model.net_).__name__,
        }
    return dict(sorted(state.items()))


def answers(model: Any) -> list[Any]:
    """What the estimator makes of rows."""
    rows: Any = X
    task: Any = None
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        rows = pd.DataFrame(X, columns=names[:-1])
        rows["shop"] = np.resize(model.tasks_, len(X))
    elif hasattr(model, "_tasks") and model._tasks.route == "keyword":
        task = np.resize(model.tasks_, len(X))
    if isinstance(model, SVDTaskReweighter):
        return [model.transform(rows, *([task] if model.aligner_ else [])), model.task_weight_]
    out = [model.predict(rows, task=task)]
    return [*out, model.predict_proba(rows, task=task)] if hasattr(model, "predict_proba") else out


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.__name__)
@pytest.mark.parametrize("name", FITTED)
def test_what_comes_back_is_the_same(name: str, route: Any, tmp_path: Path) -> None:
    model = FITTED[name]()
    again = route(model, tmp_path)
    assert_same(state_of(model), state_of(again))
    assert_same(answers(model), answers(again))
    assert_same(clone(again).get_params(deep=False), clone(model).get_params(deep=False))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.__name__)
def test_training_goes_on_as_it_would_have(route: Any, tmp_path: Path) -> None:
    by_chunks = fitted_by_adam()
    again = route(by_chunks, tmp_path)
    for model in (by_chunks, again):  # Adam's moments and the state of chance count
        model.partial_fit(X, Y, task=TASK)
    np.testing.assert_array_equal(*(m.predict_proba(X, task=TASK) for m in (by_chunks, again)))
    assert again.loss_curve_ == by_chunks.loss_curve_

    model = fitted_stacked().set_params(warm_start=True, alpha=1.0)
    again = route(model, tmp_path)
    for one in (model, again):
        one.fit(X, Y, task=TASK)
        one.add_task(X[:20], Y[:20], task=9)
    task = np.resize([0, 1, 2, 9], len(X))
    np.testing.assert_array_equal(*(m.predict_proba(X, task=task) for m in (model, again)))

    reweighter = fitted_reweighter()
    again = route(reweighter, tmp_path)
    for one in (reweighter, again):
        one.partial_fit(X, X[:, 1] * 2.5, task=TASK)
    np.testing.assert_array_equal(again.task_weight_, reweighter.task_weight_)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.__name__)
def test_an_unfitted_estimator_comes_back_unfitted(route: Any, tmp_path: Path) -> None:
    model = MultiTaskAlignedClassifier(
        alpha=np.float64(0.1), hidden_layer_sizes=np.array([3, 4]), task_column=("a", 1)
    )
    again = route(model, tmp_path)
    assert not again.__sklearn_is_fitted__()
    assert_same(model.get_params(deep=False), again.get_params(deep=False))


@pytest.mark.parametrize("route", [by_pickle, by_skops], ids=lambda route: route.__name__)
def test_a_pipeline_comes_back(route: Any, tmp_path: Path) -> None:
    table = np.column_stack([X, TASK])
    model = MultiTaskAlignedClassifier(task_column=-1, **SMALL)
    pipeline = make_pipeline(keep_task(StandardScaler()), model).fit(table, Y)
    again = route(pipeline, tmp_path)
    np.testing.assert_array_equal(again.predict_proba(table), pipeline.predict_proba(table))


def test_skops_needs_to_be_told_of_no_other_type() -> None:
    """And of none in vain."""
    found = set()
    for maker in FITTED.values():
        found |= set(skops.io.get_untrusted_types(data=skops.io.dumps(maker())))
    found |= set(skops.io.get_untrusted_types(data=skops.io.dumps(keep_task(StandardScaler()))))
    assert found == set(trusted_types())


def test_a_module_of_the_users_is_passed_to_load(tmp_path: Path) -> None:
    path = tmp_path / "model"
    callbacks = [EpochScoring(len_of, name="n")]
    model = MultiTaskAlignedClassifier(shared_module=Encoder, callbacks=callbacks, **ADAM)
    model.partial_fit(X, Y, task=TASK).save(path)
    with pytest.raises(ValueError, match=r"\['callbacks', 'shared_module'\], which are code"):
        MultiTaskAlignedClassifier.load(path)
    again = MultiTaskAlignedClassifier.load(path, shared_module=Encoder, callbacks=callbacks)
    np.testing.assert_array_equal(
        again.predict_proba(X, task=TASK), model.predict_proba(X, task=TASK)
    )
    assert again.shared_module is Encoder
    pickled = pickle.loads(pickle.dumps(model))
    for one in (model, again, pickled):
        one.partial_fit(X, Y, task=TASK)
        np.testing.assert_array_equal(
            one.predict_proba(X, task=TASK), model.predict_proba(X, task=TASK)
        )


def len_of(net: Any, rows: Any, y: Any = None) -> float:
    return float(len(rows))


def test_a_module_that_does_not_fit_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model"
    model = MultiTaskAlignedClassifier(shared_module=torch.nn.Linear(5, 4), **SMALL)
    model.fit(X, Y, task=TASK).save(path)
    with pytest.raises(ValueError, match=r"(?s)does not hold an estimator.*size mismatch"):
        MultiTaskAlignedClassifier.load(path, shared_module=torch.nn.Linear(5, 7))


def test_another_device_than_that_of_the_fit(tmp_path: Path) -> None:
    """A model that was trained on a GPU loads where there is none."""
    path = tmp_path / "model"
    model = fitted_stacked()
    model.device = model._built_with["device"] = "cuda:42"  # as if it had been there
    model.save(path)
    with pytest.warns(UserWarning, match="loaded to the CPU: device='cuda:42' cannot be used"):
        again = MultiTaskAlignedClassifier.load(path)
    assert_same(answers(again), answers(model))
    assert again.device == "cuda:42"
    assert MultiTaskAlignedClassifier.load(path, device="cpu").device == "cpu"


def test_load_takes_nothing_that_the_file_holds(tmp_path: Path) -> None:
    fitted_stacked().save(tmp_path / "model")
    with pytest.raises(ValueError, match=r"set_params\(alpha=...\)"):
        MultiTaskAlignedClassifier.load(tmp_path / "model", alpha=1.0)
    fitted_reweighter().save(tmp_path / "weights")
    with pytest.raises(ValueError, match="got \\['device'\\]"):
        SVDTaskReweighter.load(tmp_path / "weights", device="cpu")


def test_metadata_requests_and_output_settings_are_kept(tmp_path: Path) -> None:
    import sklearn

    with sklearn.config_context(enable_metadata_routing=True):
        model = fitted_stacked().set_fit_request(sample_weight=True).set_output(transform="pandas")
        again = by_file(model, tmp_path)
        request = again.get_metadata_routing()
        assert request.fit.requests == {"sample_weight": True, "task": True}
        assert request.score.requests == model.get_metadata_routing().score.requests
    assert isinstance(again.transform(X, task=TASK), pd.DataFrame)


def test_what_only_code_can_make_is_named(tmp_path: Path) -> None:
    class Mean(LinearRegression):
        def align(self, X: Any, task: Any) -> Any:
            return X

        def fit(self, X: Any, y: Any, task: Any = None, sample_weight: Any = None) -> Any:
            return super().fit(X, y)

    model = SVDTaskReweighter(aligner=Mean()).fit(X, X[:, 0], task=TASK)
    with pytest.raises(ValueError, match=r"cannot be saved: aligner_ is Mean\(\)"):
        model.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_another_process_loads_it(tmp_path: Path) -> None:
    model = fitted_stacked()
    model.save(tmp_path / "model")
    np.save(tmp_path / "rows.npy", X)
    code = (
        "import numpy as np; from sk_mtl import MultiTaskAlignedClassifier as C;"
        "model = C.load('model'); X = np.load('rows.npy');"
        "np.save('out.npy', model.predict_proba(X, task=np.resize([0, 1, 2], len(X))))"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, check=True)
    expected = model.predict_proba(X, task=np.resize([0, 1, 2], len(X)))
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)


def test_the_same_model_gives_the_same_file(tmp_path: Path) -> None:
    model = fitted_stacked()
    model.save(tmp_path / "one")
    MultiTaskAlignedClassifier.load(tmp_path / "one").save(tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_the_file_is_safetensors_and_json(tmp_path: Path) -> None:
    model = fitted_stacked()
    model.save(tmp_path / "model")
    tensors = load_tensors((tmp_path / "model").read_bytes())
    document = json.loads(tensors["document"].tobytes())
    assert document["params"]["alpha"] == model.alpha
    np.testing.assert_array_equal(
        tensors["net_.arrays.heads.own"], model.module_.heads.own.detach().numpy()
    )


# Files that are not what was written.


@pytest.fixture(scope="module")
def data() -> Iterator[bytes]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        fitted_stacked().save(Path(folder) / "model")
        yield (Path(folder) / "model").read_bytes()


def refused(data: bytes, folder: Path) -> str:
    path = folder / "altered"
    path.write_bytes(data)
    with pytest.raises(ValueError, match="altered") as info:
        MultiTaskAlignedClassifier.load(path)
    return str(info.value)


def test_a_truncated_file_is_refused(data: bytes, tmp_path: Path) -> None:
    for stop in [*range(0, 40), *range(40, len(data), 97), len(data) - 1]:
        refused(data[:stop], tmp_path)
    assert "truncated or was altered" in refused(data[:-1], tmp_path)
    assert "truncated or was altered" in refused(data + b"\0", tmp_path)


def test_a_file_with_one_changed_byte_is_refused(data: bytes, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for position in [*range(0, 300), *rng.integers(0, len(data), 300)]:
        changed = bytearray(data)
        changed[position] ^= 1 << int(rng.integers(8))
        refused(bytes(changed), tmp_path)


@pytest.mark.parametrize("other", [b"", b"{}", pickle.dumps({}), b"\xff" * 100, b"PK\x03\x04"])
def test_other_files_are_refused(other: bytes, tmp_path: Path) -> None:
    assert "is not a file of an sk_mtl estimator" in refused(other, tmp_path)


def forged(data: bytes, folder: Path, **entries: Any) -> Path:
    """A file whose digest is right, with other entries in its document."""
    arrays = load_tensors(data)
    document = json.loads(arrays.pop("document").tobytes()) | entries
    sk_mtl._files.write(folder / "altered", document, arrays)
    return folder / "altered"


@pytest.mark.parametrize(
    "entries",
    [
        {"params": {"random_state": {"estimator": "Popen", "params": {}, "fitted": {}}}},
        {"params": {"random_state": {"record": "os.system", "fields": {"command": "true"}}}},
        {"params": {"unknown": 1}},
        {"fitted": {"_tasks": {"array": "nowhere"}}},
        {"params": {"alpha": {"call": "print"}}},
        {"built_with": {}},
    ],
)
def test_a_forged_document_makes_nothing(
    entries: dict[str, Any], data: bytes, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="does not hold an estimator that this version"):
        MultiTaskAlignedClassifier.load(forged(data, tmp_path, **entries))


def test_a_later_format_is_refused(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sk_mtl._files, "FORMAT", 2)
    monkeypatch.setattr(sk_mtl, "__version__", "3.1.0")
    path = forged(data, tmp_path)
    monkeypatch.setattr(sk_mtl._files, "FORMAT", 1)
    with pytest.raises(ValueError, match=r"format 2, written by sk_mtl 3\.1\.0.*Upgrade sk_mtl"):
        MultiTaskAlignedClassifier.load(path)


def test_a_file_of_another_estimator_is_refused(tmp_path: Path) -> None:
    fitted_reweighter().save(tmp_path / "model")
    with pytest.raises(ValueError, match=r"load it with SVDTaskReweighter\.load"):
        MultiTaskAlignedClassifier.load(tmp_path / "model")


def test_a_save_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model"
    path.write_text("old")

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        fitted_stacked().save(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_folders_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        fitted_stacked().save(tmp_path / "nowhere" / "model")
    with pytest.raises(FileNotFoundError, match="nothing"):
        MultiTaskAlignedClassifier.load(tmp_path / "nothing")


@pytest.mark.parametrize("entries", [{"params": 3}, {"code": 3}, {"fitted": []}, {"estimator": 1}])
def test_a_document_without_its_parts_is_refused(
    entries: dict[str, Any], data: bytes, tmp_path: Path
) -> None:
    arrays = load_tensors(data)
    document = json.loads(arrays.pop("document").tobytes()) | entries
    sk_mtl._files.write(tmp_path / "altered", document, arrays)
    with pytest.raises(ValueError, match="lacks a part"):
        MultiTaskAlignedClassifier.load(tmp_path / "altered")


def test_states_that_would_be_read_out_of_bounds_are_refused(tmp_path: Path) -> None:
    """numpy and torch take them, and crash when they use them."""
    fitted_by_adam().save(tmp_path / "model")
    data = (tmp_path / "model").read_bytes()
    arrays = load_tensors(data)
    text = arrays.pop("document").tobytes().decode()
    assert '["pos", ' in text
    start = text.index('["pos", ') + 8
    far = text[:start] + "1000000" + text[text.index("]", start) :]
    sk_mtl._files.write(tmp_path / "model", json.loads(far), arrays)
    with pytest.raises(ValueError, match="random state that is out of bounds"):
        MultiTaskAlignedClassifier.load(tmp_path / "model")
    short = {n: a.ravel()[:1].copy() if "exp_avg" in n else a for n, a in arrays.items()}
    sk_mtl._files.write(tmp_path / "model", json.loads(text), short)
    with pytest.raises(ValueError, match="of the optimizer has the shape"):
        MultiTaskAlignedClassifier.load(tmp_path / "model")


def test_a_module_goes_only_to_those_that_lack_one(tmp_path: Path) -> None:
    table = np.column_stack([X, TASK])
    with_module = MultiTaskAlignedClassifier(
        shared_module=lambda n: torch.nn.Sequential(torch.nn.Linear(n, 3), torch.nn.Tanh()),
        task_column=-1,
        random_state=0,
    )
    alone = MultiTaskAlignedClassifier(**SMALL)
    model = SelectiveTransferClassifier(with_module, alone, task_column=-1, cv=2, random_state=0)
    model.fit(table, Y).save(tmp_path / "model")
    again = SelectiveTransferClassifier.load(
        tmp_path / "model", shared_module=with_module.shared_module, device="cpu"
    )
    np.testing.assert_array_equal(again.predict_proba(table), model.predict_proba(table))
    assert again.single_task_[0].shared_module is None


def test_what_callbacks_have_recorded_is_kept(tmp_path: Path) -> None:
    recorder = Recorder()
    model = MultiTaskAlignedClassifier(callbacks=[recorder], **SMALL).fit(X, Y, task=TASK)
    n_epochs = len(recorder.losses_)
    assert n_epochs == model.n_iter_
    assert len(pickle.loads(pickle.dumps(model)).callbacks[0].losses_) == n_epochs
    model.save(tmp_path / "model")
    MultiTaskAlignedClassifier.load(tmp_path / "model", callbacks=[recorder])
    assert len(recorder.losses_) == n_epochs
    fresh = Recorder()
    MultiTaskAlignedClassifier.load(tmp_path / "model", callbacks=[("mine", fresh)])
    assert fresh.losses_ == []


class Recorder(Callback):
    def initialize(self) -> Any:
        self.losses_: list[float] = []
        return self

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self.losses_.append(net.history[-1, "train_loss"])


def test_a_file_keeps_its_permissions_and_links_lead_to_it(tmp_path: Path) -> None:
    model, path, link = fitted_stacked(), tmp_path / "model", tmp_path / "latest"
    model.save(path)
    path.chmod(0o600)
    link.symlink_to(path)
    model.save(link)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(p.name for p in tmp_path.iterdir()) == ["latest", "model"]


def test_labels_that_are_dates(tmp_path: Path) -> None:
    dates = np.array(["2020-01-01", "2021-01-01"], dtype="M8[D]")[Y]
    reweighter = SVDTaskReweighter().fit(X, dates, task=TASK)
    reweighter.save(tmp_path / "dates")
    again = SVDTaskReweighter.load(tmp_path / "dates")
    for model in (reweighter, again):
        model.partial_fit(X[::2], dates[::2], task=TASK[::2])
    np.testing.assert_array_equal(again.task_weight_, reweighter.task_weight_)


def test_numbers_that_are_not_finite(tmp_path: Path) -> None:
    """Where no row could be held out, the standard error of a gain is infinite."""
    folds = [(np.arange(len(X)), np.arange(0))]
    multi = MultiTaskAlignedClassifier(hidden_layer_sizes=(), random_state=0)
    model = SelectiveTransferClassifier(multi, cv=folds, random_state=0).fit(X, Y, task=TASK)
    np.testing.assert_array_equal(model.transfer_gain_, 0)
    np.testing.assert_array_equal(model.transfer_gain_se_, np.inf)
    model.set_params(cv=5).save(tmp_path / "model")
    again = SelectiveTransferClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(again.transfer_gain_se_, np.inf)


def test_parameters_of_numpys_own_kinds(tmp_path: Path) -> None:
    """A string of numpy's is a string; numbers that a file has no type for are asked for."""
    weight = np.ones(3, dtype=np.longdouble)
    model = MultiTaskAlignedClassifier(task_column=np.str_("shop"), task_weight=weight)
    model.save(tmp_path / "model")
    with pytest.raises(ValueError, match=r"does not hold the parameters \['task_weight'\]"):
        MultiTaskAlignedClassifier.load(tmp_path / "model")
    again = MultiTaskAlignedClassifier.load(tmp_path / "model", task_weight=weight)
    assert again.task_column == "shop"
    assert again.task_weight is weight


def test_arrays_of_one_name_are_kept_apart() -> None:
    encoder = _codec.Encoder()
    value = {1: np.zeros(2), "1": np.ones(3)}
    again = _codec.Decoder(encoder.arrays, {}).value(encoder.value(value, "x"))
    np.testing.assert_array_equal(again[1], np.zeros(2))
    np.testing.assert_array_equal(again["1"], np.ones(3))
