"""The one place where the stages come together: a photo in, an `Assessment` a face out."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Literal

import numpy as np
import torch

from faceqa import image as images
from faceqa import weights
from faceqa.alignment import align, crop_face
from faceqa.detection import load_detector
from faceqa.errors import DeviceError, ImageError
from faceqa.image import ImageSource
from faceqa.mask import load_masker
from faceqa.pose import head_pose
from faceqa.ser_fiq import load_ser_fiq
from faceqa.types import Assessment, Face, Reason

Device = Literal["auto", "cpu", "cuda"]

ROLES: tuple[weights.Role, ...] = ("detection", "embedding", "face_mask")

NO_FACE = Reason(
    "no_face",
    "No face was found.",
    "Use a photo in which the face is upright, uncovered and 32 px wide or more.",
)


class Scorer:
    """Assesses faces. Loads its models once; nothing is random, the same photo gives the same numbers."""

    def __init__(self, device: Device = "auto", models: weights.Models = "open"):
        """Load the models.

        Args:
            device: Where the networks run; "auto" takes CUDA where there is one.
            models: "open", the default, offline and permissive; or "research", downloaded once, for
                non-commercial research.

        Raises:
            DeviceError: when there is no such device.
            WeightsError: when weights are missing or wrong.
        """
        self.device = _device(device)
        self.models = models
        self._detector = load_detector(models)
        self._ser_fiq = load_ser_fiq(models, self.device)
        self._masker = load_masker(self.device)
        self._names = {str(role): weights.find(role, models).name for role in ROLES}

    def assess(self, image: ImageSource, name: str | None = None) -> Assessment:
        """Assess the largest face of an image.

        Args:
            image: Anything that `faceqa.image.load` takes: a path, bytes, a binary file, a Pillow image or an
                array, RGB.
            name: What to call the image in the result; by default its path.

        Returns:
            The assessment. An image that cannot be read is one with the verdict "error", an image without a
            face one with the verdict "reject"; neither raises.
        """
        return self._assess(image, name, most=1)[0]

    def assess_faces(self, image: ImageSource, name: str | None = None) -> list[Assessment]:
        """Assess every face of an image, the largest first; one result where there is none. See `assess`."""
        return self._assess(image, name, most=None)

    def assess_many(self, sources: Iterable[ImageSource], all_faces: bool = False) -> Iterator[Assessment]:
        """Assess images one after the other, in order; a bad one is one error result and stops nothing."""
        for source in sources:
            yield from self._assess(source, None, most=None if all_faces else 1)

    def _assess(self, source: ImageSource, name: str | None, most: int | None) -> list[Assessment]:
        result = Assessment(image=_name(source) if name is None else name, models=self._names)
        timings: dict[str, float] = {}
        try:
            with _timed(timings, "decoding"):
                photo = images.load(source)
        except ImageError as error:
            reason = Reason(error.code, error.message)
            return [replace(result, verdict="error", reasons=(reason,), error=error.message)]

        with _timed(timings, "detection"):
            found = self._detector.detect(photo)
            faces = [self._detector.refine(photo, face) for face in found[:most]]
        result = replace(
            result, height=photo.shape[0], width=photo.shape[1], faces_found=len(found), timings_ms=timings
        )
        if not faces:
            return [replace(result, verdict="reject", reasons=(NO_FACE,))]
        return self._measure(photo, faces, result)

    def _measure(self, photo: np.ndarray, faces: list[Face], result: Assessment) -> list[Assessment]:
        timings = dict(result.timings_ms)
        with _timed(timings, "alignment"):
            aligned = np.stack([align(photo, face) for face in faces])
            crops = np.stack([crop_face(photo, face).image for face in faces])
        with _timed(timings, "pose"):
            poses = [head_pose(face.landmarks) for face in faces]
        with _timed(timings, "ser_fiq"):
            scores = self._ser_fiq.score(aligned)
        with _timed(timings, "mask"):
            occlusions = self._masker(crops).occlusion
        return [
            replace(
                result,
                ser_fiq=float(score),
                occlusion=float(occlusion),
                pose=pose,
                face=face,
                face_index=index,
                timings_ms=timings,
            )
            for index, (score, occlusion, pose, face) in enumerate(
                zip(scores, occlusions, poses, faces, strict=True)
            )
        ]


def _device(name: Device) -> torch.device:
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise DeviceError("no_device", "There is no CUDA device here. Use the device 'auto' or 'cpu'.")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and available) else "cpu")


def _name(source: ImageSource) -> str:
    if isinstance(source, (str, os.PathLike)):
        return os.fsdecode(source)
    name = getattr(source, "name", None) or getattr(source, "filename", None)
    return name if isinstance(name, str) else f"<{type(source).__name__}>"


@contextmanager
def _timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    timings[stage] = 1000 * (time.perf_counter() - start)
