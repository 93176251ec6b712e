"""ZeroGPU of Hugging Face Spaces: a GPU that is lent to a function for the time of a call.

Such a function runs in a process of its own: what it takes and gives is pickled, and the models are those
that were on the GPU at the start. Everywhere else nothing is lent and nothing changes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

IS_HERE = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")

if IS_HERE:
    import spaces  # before a model is loaded: until a GPU is lent, it stands in for one

PHOTO_SECONDS, BATCH_SECONDS = 15, 60
"""For how long a GPU is asked for; a shorter time waits less."""

Function = TypeVar("Function", bound=Callable)


def lend_gpu(seconds: int) -> Callable[[Function], Function]:
    """A decorator for what runs networks on the lent GPU."""
    return spaces.GPU(duration=seconds) if IS_HERE else lambda function: function
