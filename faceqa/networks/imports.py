"""Importing torchvision, and what stands on it, without torch's compiler."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, MutableSequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

COMPILER = "torch._dynamo"


@contextmanager
def without_compiler() -> Iterator[None]:
    """Imports within it find a stand-in for torch's compiler, which takes over a second to import.

    torchvision asks it at import whether it can compile, and libraries mark functions that it must not
    compile. faceqa compiles nothing. Afterwards the real one is imported by whoever wants it.
    """
    if COMPILER in sys.modules:
        yield
        return
    stand_ins = {name: _StandIn(name) for name in (COMPILER, f"{COMPILER}.utils")}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]


class _StandIn(ModuleType):
    """A module in which `is_...` are functions that say no, and all else decorators that change nothing."""

    __path__: MutableSequence[str] = []  # noqa: RUF012

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        if name.startswith("is_"):
            return lambda *_: False
        return lambda function=None, *_, **__: function if callable(function) else lambda inner: inner
