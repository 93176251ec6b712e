"""The one place where the stages come together: a photo in, an `Assessment` a face out."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import chain, islice
from threading import Barrier, Lock
from typing import Literal, TypeVar

import numpy as np
import torch

from faceqa import fusion, weights
from faceqa import image as images
from faceqa.alignment import FaceCrop, align, crop_face, whole_crop
from faceqa.calibration import load_calibration
from faceqa.detection import load_detector
from faceqa.errors import DeviceError, ImageError, NoFaceError
from faceqa.image import ImageSource, NamedImage
from faceqa.iqa import Iqa, load_iqa
from faceqa.mask import load_masker, remove_background
from faceqa.pose import head_pose
from faceqa.reasons import plain_reason
from faceqa.ser_fiq import load_ser_fiq
from faceqa.types import (
    MEASURE_DECIMALS,
    Assessment,
    Face,
    FacePictures,
    Inspection,
    Language,
    Policy,
    Reason,
)

Device = Literal["auto", "cpu", "cuda"]
T = TypeVar("T")
U = TypeVar("U")

ROLES: tuple[weights.Role, ...] = ("detection", "embedding", "face_mask", "iqa")

DECIMALS = {**MEASURE_DECIMALS, "dbcnn_unmasked": MEASURE_DECIMALS["dbcnn"]}

BATCH_SIZE = 8
"""Images of a stream that come back together."""

POOL = "faceqa"
"""Name of the threads."""

FACES_AT_ONCE = 16
"""Faces that go through the networks together at most, however many the images show: about 1 GB."""

READERS = 4
"""Threads of a stream that decode images and find the faces while a GPU runs the networks."""

_one_pool_at_a_time = Lock()


class Scorer:
    """Assesses faces. Loads its models once; nothing is random, the same photo gives the same numbers.

    Safe to call from several threads.

    Attributes:
        policy: What the verdicts go by.
        device: Where the networks run.
        models: Name of the weights by role.
        calibration: Reference populations for these models; None where none was made for them.
    """

    def __init__(
        self,
        device: Device = "auto",
        models: weights.Models = "open",
        policy: Policy | None = None,
        iqa: str | Iqa | None = None,
    ):
        """Load the models.

        Args:
            device: Where the networks run; "auto" takes CUDA where there is one.
            models: "open", the default, offline and permissive; or "research", downloaded once, for
                non-commercial research.
            policy: What the verdicts go by; by default the reference system's.
            iqa: Another perceptual metric in the place of DBCNN: its name for `iqa.load_iqa`, or a function
                from RGB uint8 (N, 384, 384, 3) to scores (N,), higher is better.

        Raises:
            DeviceError: when there is no such device.
            WeightsError: when weights are missing or wrong.
        """
        self.policy = policy or Policy()
        self.device = _device(device)
        roles = ROLES if iqa is None else ROLES[:-1]
        self.models = {str(role): weights.find(role, models).name for role in roles}
        self._detector = load_detector(models)
        self._ser_fiq = load_ser_fiq(models, self.device)
        self._masker = load_masker(self.device)
        if iqa is None or isinstance(iqa, str):
            self._iqa: Iqa = load_iqa(models, self.device, iqa)
        else:
            self._iqa = iqa
        if iqa is not None:
            self.models["iqa"] = iqa if isinstance(iqa, str) else getattr(iqa, "__name__", type(iqa).__name__)
        self.calibration = load_calibration(self.models)

    def assess(self, image: ImageSource, name: str | None = None, unmasked: bool = True) -> Assessment:
        """Assess the largest face of an image.

        Args:
            image: Anything that `faceqa.image.load` takes: a path, bytes, a binary file, a Pillow image or an
                array, RGB.
            name: What to call the image in the result; by default its path.
            unmasked: Whether to score the crop with its background, too.

        Returns:
            The assessment. An image that cannot be read is one with the verdict "error", an image without a
            face one with the verdict "reject"; neither raises.
        """
        return self._measure([self._find(_named(image, name), most=1)], unmasked)[0][0]

    def submit(
        self, image: ImageSource, name: str | None = None, unmasked: bool = True
    ) -> Future[Assessment]:
        """Begin to assess an image in the background; for a stream that waits for somebody, such as a camera.

        Each core works on an image of its own: with as many images on the way as there are cores, more of
        them are done in a second than with `assess`, but each takes longer. See `assess`.
        """
        return self._cores.submit(self.assess, image, name, unmasked)

    def assess_faces(
        self, image: ImageSource, name: str | None = None, unmasked: bool = True
    ) -> list[Assessment]:
        """Assess every face of an image, the largest first; one result where there is none. See `assess`."""
        return self._measure([self._find(_named(image, name), most=None)], unmasked)[0]

    def assess_many(
        self,
        sources: Iterable[ImageSource | NamedImage],
        batch_size: int = BATCH_SIZE,
        all_faces: bool = False,
        unmasked: bool = False,
    ) -> Iterator[Assessment]:
        """Assess a stream of images, in order; a bad one is one error result and stops nothing.

        On a CPU each core takes one image after the other, from the file to the verdict: that is faster than
        batches. On a GPU images are decoded and their faces found while the networks work on the batch before
        them. Either way only a few images are on the way, however long the stream is. Closing the generator
        ends its threads.

        Args:
            sources: Images; read as they are needed, in the caller's thread.
            batch_size: Images that come back together, and on a GPU go through the networks together.
            all_faces: Give one result for each face instead of the largest only.
            unmasked: Whether to score the crops with their backgrounds, too.
        """
        for batch in self.assess_batches(sources, batch_size, all_faces, unmasked):
            yield from chain.from_iterable(batch)

    def assess_batches(
        self,
        sources: Iterable[ImageSource | NamedImage],
        batch_size: int = BATCH_SIZE,
        all_faces: bool = False,
        unmasked: bool = False,
    ) -> Iterator[list[list[Assessment]]]:
        """As `assess_many`, a batch at a time: for each of its images the list of its faces' assessments.

        Which images make a batch depends on nothing but their order.
        """
        named = (source if isinstance(source, NamedImage) else _named(source) for source in sources)
        return self._batches(named, partial(self._find, most=None if all_faces else 1), batch_size, unmasked)

    def assess_crops(
        self, crops: np.ndarray, names: Sequence[str] | None = None, unmasked: bool = False
    ) -> list[Assessment]:
        """Assess prepared face crops, the reference system's input: the crop is scored as it is.

        Args:
            crops: RGB uint8 (N, S, S, 3), S from 112 px; other sizes than 384 are brought to it. The face
                fills about 70 % of the side.
            names: What to call them; by default their numbers.
            unmasked: Whether to score the crops with their backgrounds, too.

        Returns:
            One assessment a crop, of its largest face.

        Raises:
            ValueError: when the array is not of that shape and type.
        """
        if crops.ndim != 4 or crops.shape[1] != crops.shape[2] or crops.shape[3] != 3:
            raise ValueError(f"face crops are uint8 (N, S, S, 3), not {crops.dtype} {crops.shape}")
        names = [str(number) for number in range(len(crops))] if names is None else names
        named = (NamedImage(name, crop) for name, crop in zip(names, crops, strict=True))
        batches = self._batches(named, partial(self._find, most=1, is_crop=True), BATCH_SIZE, unmasked)
        return [result for batch in batches for (result,) in batch]

    def inspect(self, image: ImageSource, face_index: int = 0, name: str | None = None) -> Inspection:
        """Assess one face of an image and keep the pictures on the way, to show them.

        Args:
            image: As in `assess`.
            face_index: Which face, 0 is the largest.
            name: As in `assess`.

        Raises:
            NoFaceError: when the image shows faces, but not so many.
        """
        timings: dict[str, float] = {}
        photo, result = self._read(_named(image, name), timings)
        if photo is None:
            return Inspection(result)
        with _timed(timings, "detection"):
            faces = self._detector.detect(photo)
        if not faces:
            return Inspection(self._without_face(result), photo)
        if not 0 <= face_index < len(faces):
            raise NoFaceError("no_such_face", f"The image shows {len(faces)} faces, not {face_index + 1}.")
        candidate = self._cut_out(photo, faces, face_index, result)
        return replace(self._inspect([candidate], unmasked=True)[0], photo=photo, faces=tuple(faces))

    def rejudge(self, assessment: Assessment, policy: Policy, language: Language = "en") -> Assessment:
        """The same assessment under another policy or in another language; no model runs."""
        judged = fusion.rejudge(assessment, policy, language)
        measures = assessment.measures
        if measures is None or self.calibration is None:
            return judged
        return replace(judged, percentiles=self.calibration.percentiles(measures, policy))

    @cached_property
    def _cores(self) -> ThreadPoolExecutor:
        return _one_core_each()

    def _batches(
        self,
        images: Iterable[NamedImage],
        find: Callable[[NamedImage], list[Assessment] | list[_Candidate]],
        batch_size: int,
        unmasked: bool,
    ) -> Iterator[list[list[Assessment]]]:
        if self.device.type == "cpu":
            with _closing(_one_core_each()) as cores:
                done = _ahead(cores, lambda image: self._measure([find(image)], unmasked), images)
                while batch := list(islice(done, batch_size)):
                    yield [results for (results,) in batch]
        else:
            with _closing(ThreadPoolExecutor(READERS, POOL)) as readers:
                found = _ahead(readers, find, images, batch_size)
                while candidates := list(islice(found, batch_size)):
                    yield self._measure(candidates, unmasked)

    def _find(
        self, image: NamedImage, most: int | None, is_crop: bool = False
    ) -> list[Assessment] | list[_Candidate]:
        """Everything before the networks; the result itself where there is nothing for them."""
        timings: dict[str, float] = {}
        photo, result = self._read(image, timings)
        if photo is None:
            return [result]
        with _timed(timings, "detection"):
            faces = self._detector.detect(photo)
        if not faces:
            return [self._without_face(result)]
        return [self._cut_out(photo, faces, index, result, is_crop) for index in range(len(faces[:most]))]

    def _read(self, image: NamedImage, timings: dict[str, float]) -> tuple[np.ndarray | None, Assessment]:
        """The photo, None where it cannot be read, and the assessment as far as it is known."""
        result = Assessment(image=image.name, timings_ms=timings, models=self.models)
        try:
            if isinstance(image.source, ImageError):
                raise image.source
            with _timed(timings, "decoding"):
                photo = images.load(image.source)
        except ImageError as error:
            return None, _failed(result, Reason(error.code, error.message))
        return photo, replace(result, width=photo.shape[1], height=photo.shape[0])

    def _without_face(self, result: Assessment) -> Assessment:
        verdict = fusion.judge(None, self.policy)
        return replace(result, verdict=verdict.decision, reasons=verdict.reasons)

    def _cut_out(
        self, photo: np.ndarray, faces: list[Face], index: int, result: Assessment, is_crop: bool = False
    ) -> _Candidate:
        timings = dict(result.timings_ms)
        with _timed(timings, "refinement"):
            face = self._detector.refine(photo, faces[index])
        with _timed(timings, "alignment"):
            aligned = align(photo, face)
            crop = whole_crop(photo) if is_crop else crop_face(photo, face)
        with _timed(timings, "pose"):
            pose = head_pose(face.landmarks)
        found = replace(result, pose=pose, face=face, face_index=index, faces_found=len(faces))
        return _Candidate(replace(found, timings_ms=timings), aligned, crop)

    def _measure(
        self, batch: Sequence[list[Assessment] | list[_Candidate]], unmasked: bool
    ) -> list[list[Assessment]]:
        """The networks' part for what was found in a batch of images."""
        candidates = [item for items in batch for item in items if isinstance(item, _Candidate)]
        chunks = (candidates[i : i + FACES_AT_ONCE] for i in range(0, len(candidates), FACES_AT_ONCE))
        done = (face.assessment for chunk in chunks for face in self._inspect(chunk, unmasked))
        return [[item if isinstance(item, Assessment) else next(done) for item in items] for items in batch]

    def _inspect(self, candidates: list[_Candidate], unmasked: bool) -> list[Inspection]:
        """Run the networks over faces, together, and conclude."""
        timings: dict[str, float] = {}
        aligned = np.stack([candidate.aligned for candidate in candidates])
        crops = np.stack([candidate.crop.image for candidate in candidates])
        with _timed(timings, "ser_fiq"):
            ser_fiq = self._ser_fiq.score(aligned)
        with _timed(timings, "mask"):
            masks = self._masker(crops)
            faces = [remove_background(*pair) for pair in zip(crops, masks.outline, strict=True)]
            masked_faces = np.stack(faces)
        with _timed(timings, "dbcnn"):
            dbcnn = self._iqa(masked_faces)
        scores = {"ser_fiq": ser_fiq, "occlusion": masks.occlusion, "dbcnn": dbcnn}
        if unmasked:
            with _timed(timings, "dbcnn_unmasked"):
                scores["dbcnn_unmasked"] = self._iqa(crops)
        shares = {stage: milliseconds / len(candidates) for stage, milliseconds in timings.items()}
        return [
            Inspection(
                assessment=self._conclude(
                    candidate.result, {name: float(values[i]) for name, values in scores.items()}, shares
                ),
                pictures=FacePictures(
                    aligned=candidate.aligned,
                    crop=candidate.crop.image,
                    crop_box=candidate.crop.box,
                    outline=masks.outline[i],
                    visible=masks.visible[i],
                    masked_face=masked_faces[i],
                ),
            )
            for i, candidate in enumerate(candidates)
        ]

    def _conclude(
        self, result: Assessment, scores: dict[str, float], timings: dict[str, float]
    ) -> Assessment:
        """Round the measures, judge them, and say what they mean among the reference faces."""
        rounded = {name: round(value, DECIMALS[name]) for name, value in scores.items()}
        result = replace(result, timings_ms={**result.timings_ms, **timings})
        measured = replace(
            result,
            verdict="reject",
            ser_fiq=rounded["ser_fiq"],
            dbcnn=rounded["dbcnn"],
            dbcnn_unmasked=rounded.get("dbcnn_unmasked"),
            occlusion=rounded["occlusion"],
        )
        try:
            return self.rejudge(measured, self.policy)
        except ValueError:  # a measure out of its range is a failed one, and never a pass
            return _failed(result, plain_reason("measure_failed"))


@dataclass(frozen=True, slots=True, eq=False)
class _Candidate:
    """A face on its way to the networks.

    The photo is not kept: a stream has many faces on the way.
    """

    result: Assessment
    aligned: np.ndarray
    crop: FaceCrop


def _device(name: Device) -> torch.device:
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise DeviceError("no_device", "There is no CUDA device here. Use the device 'auto' or 'cpu'.")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and available) else "cpu")


def _named(source: ImageSource, name: str | None = None) -> NamedImage:
    if name is not None:
        return NamedImage(name, source)
    if isinstance(source, (str, os.PathLike)):
        return NamedImage(os.fsdecode(source), source)
    name = getattr(source, "name", None) or getattr(source, "filename", None)
    return NamedImage(name if isinstance(name, str) else f"<{type(source).__name__}>", source)


def _failed(result: Assessment, reason: Reason) -> Assessment:
    return replace(result, verdict="error", reasons=(reason,), error=reason.message)


def _one_core_each() -> ThreadPoolExecutor:
    """As many threads as torch uses, each of which runs the networks alone."""
    with _one_pool_at_a_time:
        threads = torch.get_num_threads()
        pool = ThreadPoolExecutor(threads, POOL, initializer=_run_alone)
        started = Barrier(threads + 1)
        for _ in range(threads):
            pool.submit(started.wait)
        started.wait()
        torch.set_num_threads(threads)  # what one thread sets, those take over that are made after it
    return pool


def _run_alone() -> None:
    torch.get_num_threads()  # a thread's first call to torch takes over what others have set
    torch.set_num_threads(1)


@contextmanager
def _closing(pool: ThreadPoolExecutor) -> Iterator[ThreadPoolExecutor]:
    """A pool that drops what it has not begun when its user leaves."""
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _ahead(
    pool: ThreadPoolExecutor, work: Callable[[T], U], items: Iterable[T], batch_size: int = 1
) -> Iterator[U]:
    """`work` of each item, in order; the pool has enough to do while a batch is used, and no more."""
    most = 2 * max(pool._max_workers, batch_size)
    pending: deque[Future[U]] = deque()
    for item in items:
        pending.append(pool.submit(work, item))
        if len(pending) > most:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


@contextmanager
def _timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    timings[stage] = 1000 * (time.perf_counter() - start)
