"""Gradio imported in two thirds of its time."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch


@contextmanager
def without_stubs() -> Iterator[None]:
    """Gradio, imported in here, writes no type stubs for editors.

    It parses the sources of all its components for them at every start (`create_or_modify_pyi` in Gradio
    6.31's component_meta.py), but for components whose source is not a file. Where a later Gradio does
    without, this does nothing.
    """
    source_file = inspect.getfile

    def of_others(found: Any) -> str:
        if getattr(found, "__module__", "").startswith("gradio."):
            raise OSError("no stub is wanted")
        return source_file(found)

    with patch.object(inspect, "getfile", of_others):
        yield
