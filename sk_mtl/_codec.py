"""Estimators as a JSON document beside named arrays, and back; no code runs on the way."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from numbers import Integral, Real
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.utils.metadata_routing import MetadataRequest

from sk_mtl._tasks import Array

Arrays = dict[str, Array]

_ROOM = 2**24  # characters of strings that are shorter than their type


class NotStorableError(ValueError):
    """A value that a file cannot hold."""


@cache
def estimators() -> dict[str, Any]:
    import sk_mtl

    return {name: getattr(sk_mtl, name) for name in sk_mtl.__all__}


@cache
def records() -> dict[str, Any]:
    """The package's own dataclasses that fitted estimators hold."""
    from sk_mtl._averaged_model import AveragedModel, AveragedOutput
    from sk_mtl._class_targets import ClassTargets
    from sk_mtl._feature_maps import FeatureMap
    from sk_mtl._labels import LabelSet
    from sk_mtl._moments import Moments
    from sk_mtl._plan import HeadPlan
    from sk_mtl._scaling import InputScaler
    from sk_mtl._tasks import TaskSet
    from sk_mtl._value_targets import ValueTargets

    classes = (
        AveragedModel,
        AveragedOutput,
        ClassTargets,
        FeatureMap,
        HeadPlan,
        InputScaler,
        LabelSet,
        Moments,
        TaskSet,
        ValueTargets,
    )
    return {cls.__name__: cls for cls in classes}


class Encoder:
    """Turns values into JSON.

    Whatever JSON has no form for becomes a dict of one entry, which says what it is.

    Attributes
    ----------
    arrays : dict of ndarray
        Numeric arrays met on the way, which the JSON refers to by name.
    code : set of str
        Names of parameters that are code, which no document holds.
    """

    def __init__(self) -> None:
        self.arrays: Arrays = {}
        self.code: set[str] = set()

    def estimator(self, estimator: Any, where: str = "") -> dict[str, Any]:
        """An estimator of this package, fitted or not."""
        name = type(estimator).__name__
        if where and estimators().get(name) is not type(estimator):
            raise NotStorableError(f"{where} is {estimator!r}, not an estimator of sk_mtl")
        plain = getattr(estimator, "_plain_state", estimator.__getstate__)
        state = dict(plain())
        state.pop("_skl_callbacks", None)  # scikit-learn's: they watch a training
        params = {key: state.pop(key) for key in estimator.get_params(deep=False)}
        within = where and f"{where}."
        encoded = {"estimator": name, "params": self.parameters(params, within)}
        if "_metadata_request" in state:
            encoded["requests"] = _requests(state.pop("_metadata_request"))
        if "_built_with" in state:
            built_with = self.parameters(state.pop("_built_with"), f"{within}_built_with.")
            encoded["built_with"] = built_with
        encoded["fitted"] = {key: self.value(inner, within + key) for key, inner in state.items()}
        return encoded

    def parameters(self, params: dict[str, Any], where: str) -> dict[str, Any]:
        """Named values, some of which may be code."""
        encoded = {}
        for name, value in params.items():
            before = dict(self.arrays)
            try:
                encoded[name] = self.value(value, where + name)
            except NotStorableError:
                self.arrays = before
                self.code.add(name)
                encoded[name] = {"code": name}
        return encoded

    def value(self, value: Any, where: str) -> Any:
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if np.isfinite(value) else {"float": repr(value)}
        if isinstance(value, np.ndarray):
            return self._array(value, where)
        if isinstance(value, np.generic) and value.dtype.kind in "biuf":
            return {"scalar": self._array(np.asarray(value), where)}
        if isinstance(value, str):  # numpy's
            return str(value)
        if type(value) is list:
            return [self.value(inner, f"{where}.{j}") for j, inner in enumerate(value)]
        if type(value) is tuple:
            return {"tuple": self.value(list(value), where)}
        if isinstance(value, dict):
            pairs = [
                [self.value(key, where), self.value(inner, f"{where}.{key}")]
                for key, inner in value.items()
            ]
            return {"dict": pairs}
        if isinstance(value, np.random.RandomState):
            return {"random_state": self.value(value.get_state(legacy=False), where)}
        if isinstance(value, FrozenEstimator):
            return {"frozen": self.value(value.estimator, where)}
        if isinstance(value, BaseEstimator):
            return self.estimator(value, where)
        name = type(value).__name__
        if records().get(name) is type(value):
            parts = {f.name: getattr(value, f.name) for f in fields(value)}
            return {"record": name, "fields": self.value(parts, where)}
        raise NotStorableError(f"{where} is {value!r}")

    def _array(self, array: Array, where: str) -> dict[str, Any]:
        kind = array.dtype.kind
        if kind in "OUT":
            entries = [self.value(entry, where) for entry in array.ravel().tolist()]
            dtype = array.dtype.str if kind == "U" else "O"
            return {"entries": entries, "dtype": dtype, "shape": list(array.shape)}
        if kind in "mM":
            return {"times": self._array(array.view(np.int64), where), "dtype": array.dtype.str}
        if kind not in "biuf" or array.dtype.itemsize > 8:
            raise NotStorableError(f"{where} is an array of {array.dtype}")
        name = where
        while name in self.arrays:
            name += "'"
        self.arrays[name] = np.array(array, order="C")
        return {"array": name} if _is_finite(array) else {"array": name, "finite": False}


class Decoder:
    """The inverse of `Encoder`.

    Parameters
    ----------
    arrays : dict of ndarray
    code : dict
        Values of the parameters that are code, and the device if another one is wanted.
    """

    def __init__(self, arrays: Arrays, code: dict[str, Any]) -> None:
        self.arrays = arrays
        self.code = code

    def estimator(self, encoded: dict[str, Any], cls: Any = None) -> Any:
        cls = cls or estimators()[encoded["estimator"]]
        estimator = cls(**self._parameters(encoded["params"]))
        state = {key: self.value(inner) for key, inner in encoded["fitted"].items()}
        methods = [key for key in state if callable(getattr(cls, key, None))]
        if methods:
            raise ValueError(f"{methods} as attributes, which are methods of {cls.__name__}")
        if "built_with" in encoded:
            state["_built_with"] = self._parameters(encoded["built_with"])
        if "requests" in encoded:
            state["_metadata_request"] = _request(cls.__name__, encoded["requests"])
        estimator.__setstate__(state)
        return estimator

    def _parameters(self, encoded: dict[str, Any]) -> dict[str, Any]:
        params = {name: self.value(inner) for name, inner in encoded.items()}
        if "device" in params and "device" in self.code:
            params["device"] = self.code["device"]
        return params

    def value(self, encoded: Any) -> Any:
        if isinstance(encoded, list):
            return [self.value(inner) for inner in encoded]
        if not isinstance(encoded, dict):
            return encoded
        match encoded:
            case {"code": name}:
                return self.code[name]
            case {"float": text}:
                return float(text)
            case {"array": name, "finite": False}:
                return self.arrays[name]
            case {"array": name}:
                if not _is_finite(self.arrays[name]):
                    raise ValueError(f"the array {name} holds values that are not finite")
                return self.arrays[name]
            case {"scalar": inner}:
                return self.value(inner)[()]
            case {"entries": entries, "dtype": dtype, "shape": shape}:
                if dtype != "O":
                    _check_strings(entries, dtype)
                array = np.empty(len(entries), dtype=dtype)
                for j, entry in enumerate(entries):  # an entry may be a tuple
                    array[j] = self.value(entry)
                return array.reshape(shape)
            case {"times": inner, "dtype": dtype}:
                return self.value(inner).view(dtype)
            case {"tuple": inner}:
                return tuple(self.value(inner))
            case {"dict": pairs}:
                return {self.value(key): self.value(inner) for key, inner in pairs}
            case {"random_state": inner}:
                state = self.value(inner)
                if not 0 <= state["state"]["pos"] <= 624:  # numpy takes any, and reads there
                    raise ValueError("a random state that is out of bounds")
                random = np.random.RandomState()
                random.set_state(state)
                return random
            case {"frozen": inner}:
                return FrozenEstimator(self.value(inner))
            case {"estimator": _}:
                return self.estimator(encoded)
            case {"record": name, "fields": parts}:
                return _record(records()[name], self.value(parts))
        raise ValueError(f"unknown entry {sorted(encoded)}")


def _check_strings(entries: list[Any], dtype: Any) -> None:
    """Refuse a type of no strings, or one that takes much more room than they need."""
    longest = max(map(len, entries), default=0)
    kind, width = dtype[:2], int(dtype[2:])
    if kind not in ("<U", ">U") or (width > longest and width * len(entries) > _ROOM):
        raise ValueError(f"{len(entries)} entries of the type {dtype!r}")


def _is_finite(array: Array) -> bool:
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def _record(cls: Any, parts: dict[str, Any]) -> Any:
    """A record whose fields are of the types that it declares."""
    record = cls(**parts)
    for name, kind in _hints(cls).items():
        if not _is_a(getattr(record, name), kind):
            found = type(getattr(record, name)).__name__
            raise ValueError(f"{name} of a {cls.__name__} cannot be this {found}")
    return record


@cache
def _hints(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls)


def _is_a(value: Any, kind: Any) -> bool:
    """Whether a value is of an annotated type."""
    origin, inner = get_origin(kind) or kind, get_args(kind)
    if origin in (Union, UnionType):
        return any(_is_a(value, one) for one in inner)
    if origin is Literal:
        return value in inner
    if origin is list:
        return isinstance(value, list) and all(_is_a(one, inner[0]) for one in value)
    if origin is Any:
        return True
    return isinstance(value, Real if origin is float else Integral if origin is int else origin)


def _requests(request: MetadataRequest) -> dict[str, dict[str, Any]]:
    """The metadata that an estimator asks for, by method."""
    return {
        method: dict(of_method.requests)
        for method, of_method in vars(request).items()
        if hasattr(of_method, "requests")
    }


def _request(owner: str, requests: dict[str, dict[str, Any]]) -> MetadataRequest:
    request = MetadataRequest(owner=owner)
    for method, asked in requests.items():
        for name, alias in asked.items():
            getattr(request, method).add_request(param=name, alias=alias)
    return request
