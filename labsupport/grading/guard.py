"""Putting back what a submission replaced in the modules that it shares with the probes.

A submission's process belongs to the submission: what it says of itself proves nothing that the
judge, outside, does not find in the numbers. But a few probes run in it (`stacks.PROBED_INSIDE`),
and the plainest way to a point is to replace what they call. That way is shut.
"""

from __future__ import annotations

import builtins
import re
import sys
from types import FunctionType, ModuleType
from typing import Any

#: Modules whose functions and classes probes rely on: these, and for "x.*" all below x.
WATCHED = re.compile(
    r"labsupport(\..*)?|numpy(\.(testing|random|linalg))?|copy|inspect|random|keras(\.\w+)?"
    r"|tensorflow|tensorflow\.compat\.v1|tensorflow\._api\.v2\.compat\.v1(\.\w+)?"
    r"|tensorflow\.python\.(client\.session|framework\.ops)"
)
#: Those of them with thousands of names.
MANY_NAMES = re.compile(r"keras(\..*)?|tensorflow(\.compat\.v1|\._api\..*)?")
#: Packages whose classes are watched from within, and whose functions' code is.
CLASSES_OF = ("labsupport", "tensorflow.python.client", "tensorflow.python.framework.ops")
#: The same of classes that only a probe which runs here calls.
CLASSES_INSIDE = ("keras.src.", "tensorflow.python.training.saver")

#: Names of a module, one of them, its value; and the module, if it is one of TensorFlow's that keep
#: their names in a place of their own too.
_modules: list[tuple[dict[str, Any], str, Any, ModuleType | None]] = []
_of_tensorflow: list[tuple[dict[str, Any], str, Any, ModuleType | None]] = []
_classes: list[tuple[type, str, Any]] = []
_classes_inside: list[tuple[type, str, Any]] = []
_all_names: dict[type, frozenset[str]] = {}
_all_names_inside: dict[type, frozenset[str]] = {}
_own_modules: list[dict[str, Any]] = []
_functions: list[tuple[FunctionType, Any, Any, Any]] = []
_functions_inside: list[tuple[FunctionType, Any, Any, Any]] = []


def remember() -> None:
    """Note what is there, before any submission."""
    for known in (_modules, _of_tensorflow, _own_modules, _functions, _functions_inside):
        known.clear()
    for known in (_classes, _classes_inside, _all_names, _all_names_inside):
        known.clear()
    seen: set[int] = set()
    for name, module in list(sys.modules.items()):
        if not isinstance(module, ModuleType) or not WATCHED.fullmatch(name):
            continue
        names = vars(module)
        wrapper = module if hasattr(type(module), "_fastdict_insert") else None
        here = _of_tensorflow if MANY_NAMES.fullmatch(name) else _modules
        if name.startswith("labsupport"):
            _own_modules.append(names)
        for own, value in list(names.items()):
            own_module = isinstance(value, ModuleType) and name.startswith("labsupport")
            if callable(value) or own_module:  # tf_keras swaps modules of its own
                here.append((names, own, value, wrapper))
            if isinstance(value, type):
                _remember_inside(value)
            if id(value) in seen or not str(getattr(value, "__module__", "")).startswith(
                CLASSES_OF
            ):
                continue
            seen.add(id(value))
            if isinstance(value, type):
                _all_names[value] = frozenset(vars(value))
                _classes.extend(_callables(value))
                _functions.extend(_methods(value))
            elif type(value) is FunctionType:
                _functions.append(_inside(value))
    _modules.extend((vars(builtins), k, v, None) for k, v in list(vars(builtins).items()))


def _remember_inside(value: type) -> None:
    """Note a class, and those that it comes from, if only probes which run here call it."""
    for one in value.__mro__:
        if one.__module__.startswith(CLASSES_INSIDE) and one not in _all_names_inside:
            _all_names_inside[one] = frozenset(vars(one))
            _classes_inside.extend(_callables(one))
            _functions_inside.extend(_methods(one))


def _callables(cls: type) -> list[tuple[type, str, Any]]:
    return [(cls, name, value) for name, value in list(vars(cls).items()) if callable(value)]


def _methods(cls: type) -> list[tuple[FunctionType, Any, Any, Any]]:
    return [_inside(value) for value in vars(cls).values() if type(value) is FunctionType]


def put_back(everywhere: bool = True) -> list[str]:
    """Undo every replacement since `remember`. Returns the names of what had been replaced.

    everywhere: also in the long lists of names that TensorFlow and Keras have, and in the classes
    that only such probes call. A look at them takes its time, and matters only to what runs in this
    process: a probe, or gradients that are asked of it. What an answer itself finds there is what
    it would find under `check`.
    """
    replaced = []
    for names, own, value, wrapper in [*_modules, *(_of_tensorflow if everywhere else ())]:
        other = wrapper is not None and getattr(wrapper, own, None) is not value
        if names.get(own) is not value or other:
            names[own] = value
            if wrapper is not None:
                setattr(wrapper, own, value)
            replaced.append(f"{names.get('__name__', '?')}.{own}")
    for cls, own, value in [*_classes, *(_classes_inside if everywhere else ())]:
        if vars(cls).get(own) is not value:
            setattr(cls, own, value)
            replaced.append(f"{cls.__name__}.{own}")
    for cls, known in (_all_names | _all_names_inside if everywhere else _all_names).items():
        for own in vars(cls).keys() - known:
            if callable(vars(cls)[own]):  # new here, to come before an inherited one
                delattr(cls, own)
                replaced.append(f"{cls.__name__}.{own}")
    for names in _own_modules:
        for own in vars(builtins).keys() & names.keys():
            if own not in ("__doc__", "__name__", "__loader__", "__package__", "__spec__"):
                del names[own]
                replaced.append(f"{names.get('__name__', '?')}.{own}")
    for function, code, defaults, named in [
        *_functions,
        *(_functions_inside if everywhere else ()),
    ]:
        if function.__code__ is not code:
            function.__code__ = code
            replaced.append(function.__qualname__)
        if function.__defaults__ is not defaults:
            function.__defaults__ = defaults
        if function.__kwdefaults__ is not named:
            function.__kwdefaults__ = named
    return [name[:100] for name in replaced[:20]]


def _inside(function: FunctionType) -> tuple[FunctionType, Any, Any, Any]:
    return function, function.__code__, function.__defaults__, function.__kwdefaults__
