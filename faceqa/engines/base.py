"""What runs the networks: a network's name and uint8 pictures in, named arrays out.

Everything between the pictures and the numbers (scaling, resizing, sigmoid, the closed form of SER-FIQ) is
part of a network, so that every engine does the same.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import asdict, dataclass
from typing import Literal, Protocol

import numpy as np

Network = Literal["detection", "embedding", "face_mask", "apertures", "iqa"]

MEASURING: tuple[Network, ...] = ("embedding", "face_mask", "apertures", "iqa")
"""What measures a face that was found."""

STRIDES = (8, 16, 32)
"""px, of the detector's maps."""

OUTPUTS: dict[Network, tuple[str, ...]] = {
    "detection": tuple(f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in STRIDES),
    "embedding": ("ser_fiq", "embedding"),
    "face_mask": ("outline", "visible", "rotation"),
    "apertures": ("apertures",),
    "iqa": ("score", "distortions"),
}
"""Names of what each network gives, in order; described where the network is. The research set's "iqa"
gives the score only."""

STANDARD_SIZES: dict[Network, tuple[int, int]] = {
    "detection": (384, 384),
    "embedding": (112, 112),
    "face_mask": (384, 384),
    "apertures": (144, 64),
    "iqa": (384, 384),
}
"""Height and width in px of the pictures that a network mostly sees."""

CPU = "CPU"
"""Name of the device, in every engine."""

EngineName = Literal["openvino", "torch"]

Precision = Literal["auto", "f32", "bf16"]
"""What an engine may round layers to; "auto" is bf16 where the device multiplies it faster."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What the numbers were computed with; the same on the same kind of machine.

    Attributes:
        name: "openvino" or "torch".
        device: "CPU", or the name of the CUDA device.
        precision: "f32" or "bf16", what the layers are rounded to that are not 8-bit integers in the weights.
    """

    name: EngineName
    device: str
    precision: str

    def as_dict(self) -> dict[str, str]:
        """For an assessment."""
        return asdict(self)


class Engine(Protocol):
    """Runs the networks of a model set. Safe to call from several threads.

    Attributes:
        info: What the numbers are computed with.
    """

    info: EngineInfo

    def run(self, network: Network, images: np.ndarray) -> dict[str, np.ndarray]:
        """The outputs of a network; a picture's do not depend on which others come with it.

        Args:
            network: Which.
            images: RGB uint8 (N, H, W, 3).

        Returns:
            `OUTPUTS[network]`, as far as the model set has them, float32 (N, ...).

        Raises:
            ValueError: when the array is not of that shape and type.
        """
        ...


def check_crops(crops: np.ndarray) -> None:
    """Raise a ValueError unless the array is a batch of face crops, RGB uint8 (N, H, W, 3)."""
    if crops.ndim != 4 or crops.shape[3] != 3 or crops.dtype != np.uint8:
        raise ValueError(f"face crops are uint8 (N, H, W, 3), not {crops.dtype} {crops.shape}")


def available_cores() -> int:
    """How many cores this process may use; no more than `OMP_NUM_THREADS`, which Ray sets for an actor."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    told = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, max(1, int(told))) if told.isdecimal() else cores


def cuda_devices() -> int:
    """How many CUDA devices the driver knows, asked without torch, whose import takes seconds."""
    for name in ("libcuda.so.1", "nvcuda.dll"):
        try:
            driver = ctypes.CDLL(name)
        except OSError:
            continue
        count = ctypes.c_int(0)
        if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0:
            return count.value
    return 0
