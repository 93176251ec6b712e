"""The one place where the stages come together: a photo in, an `Assessment` a face out."""

from __future__ import annotations

import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from itertools import chain, islice
from typing import Literal, TypeVar

import numpy as np

from faceqa import calibration, weights
from faceqa.engines.base import (
    CPU,
    MEASURING,
    Engine,
    Network,
    Precision,
    available_cores,
    check_crops,
    cuda_devices,
)
from faceqa.engines.openvino import OpenVinoEngine
from faceqa.errors import DeviceError, ImageError, MeasureError, NoFaceError
from faceqa.faces.alignment import FaceCrop, align, crop_face, whole_crop
from faceqa.faces.apertures import ApertureMeter
from faceqa.faces.descriptor import describe
from faceqa.faces.detection import load_detector
from faceqa.faces.mask import FaceMasker, remove_background
from faceqa.faces.pose import head_pose
from faceqa.languages import Language
from faceqa.measures import components, distortions
from faceqa.measures.batch import EMBEDDING, FaceBatch, Iqa, Measurement, Setup
from faceqa.measures.registry import MEASURES
from faceqa.reading import image as images
from faceqa.reading.image import ImageSource, NamedImage
from faceqa.types import Assessment, Face, FacePictures, Inspection, Reason
from faceqa.verdict.judge import judge
from faceqa.verdict.policy import Policy
from faceqa.verdict.reasons import plain_reason

Device = Literal["auto", "cpu", "cuda"]
EngineChoice = Literal["auto", "openvino", "torch"]
T = TypeVar("T")
U = TypeVar("U")

BATCH_SIZE, GPU_BATCH_SIZE = 4, 16
"""Images of a stream that come back together. On CPUs more of them take memory and save no time."""

BATCHES_AT_ONCE = 2
"""Batches of a stream that are measured at the same time: the networks run for one while Python works on the
other."""

POOL = "faceqa"
"""Name of the threads."""

FACES_AT_ONCE = 32
"""Faces that go through the networks together at most, however many the images show."""


class Scorer:
    """Assesses faces. Loads its models once; nothing is random, the same photo gives the same numbers.

    Safe to call from several threads.

    Attributes:
        policy: What the verdicts go by.
        engine: What the numbers are computed with: engine, device and precision.
        models: Name of the weights by role.
        model_set: The model set, "open" or "research".
        iqa: Name of the metric in the place of DBCNN; None for DBCNN.
        calibration: Reference populations for these models; None where none was made for them.
    """

    def __init__(
        self,
        device: Device = "auto",
        models: weights.Models = "open",
        policy: Policy | None = None,
        iqa: str | Iqa | None = None,
        engine: EngineChoice = "auto",
        precision: Precision = "auto",
    ):
        """Load the models.

        Args:
            device: Where the networks run; "auto" takes CUDA where there is one.
            models: "open", the default, offline and permissive; or "research", downloaded once, for
                non-commercial research.
            policy: What the verdicts go by; by default *fair*, see `verdict.policy.PRESETS`.
            iqa: Another perceptual metric in the place of DBCNN: its name for
                `measures.perceptual.load_iqa`, or a function from RGB uint8 (N, 384, 384, 3) to scores (N,),
                higher is better.
            engine: What runs the networks: "openvino" (the open set on a CPU), "torch", or "auto": torch on
                CUDA and for the research set, OpenVINO else.
            precision: What the engine may round layers to: "f32", "bf16", or "auto": bf16 with OpenVINO where
                the processor multiplies it, f32 else.

        Raises:
            DeviceError: when there is no such device, or the engine cannot serve it or the precision.
            WeightsError: when weights are missing or wrong.
        """
        self.policy = policy or Policy()
        self.model_set = models
        roles = tuple(role for role in MEASURING if role != "iqa" or iqa is None)
        self.models = {str(role): weights.find(role, models).name for role in ("detection", *roles)}
        running = _engine(device, engine, models, roles, precision)
        self.engine = running.info
        self._batch_size = BATCH_SIZE if self.engine.device == CPU else GPU_BATCH_SIZE
        self._detector = load_detector(models)
        self._masker = FaceMasker(running)
        self._aperture_meter = ApertureMeter(running)
        self._measurements = _measurements(Setup(running, iqa))
        self.iqa = (
            iqa if iqa is None or isinstance(iqa, str) else getattr(iqa, "__name__", type(iqa).__name__)
        )
        if self.iqa is not None:
            self.models["iqa"] = self.iqa
        self._components = components.load()
        self.calibration = calibration.load_calibration(self.models)
        self._measuring = ThreadPoolExecutor(len(self._measurements) + 1, POOL)  # and the components
        self._whole_images = ThreadPoolExecutor(available_cores(), POOL)

    def assess(self, image: ImageSource, name: str | None = None, unmasked: bool = True) -> Assessment:
        """Assess the largest face of an image.

        Args:
            image: Anything that `faceqa.reading.image.load` takes: a path, bytes, a binary file, a Pillow
                image or an array, RGB.
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
        """Begin to assess an image in the background; for live streams, such as a camera.

        With as many images on the way as there are cores, more of them are done in a second than with
        `assess`, but each takes longer. See `assess`.
        """
        return self._whole_images.submit(self.assess, image, name, unmasked)

    def assess_faces(
        self, image: ImageSource, name: str | None = None, unmasked: bool = True
    ) -> list[Assessment]:
        """Assess every face of an image, the largest first; one result where there is none. See `assess`."""
        return self._measure([self._find(_named(image, name), most=None)], unmasked)[0]

    def assess_many(
        self,
        sources: Iterable[ImageSource | NamedImage],
        batch_size: int | None = None,
        all_faces: bool = False,
        unmasked: bool = False,
    ) -> Iterator[Assessment]:
        """Assess a stream of images, in order; a bad one is one error result and stops nothing.

        Images are decoded and their faces found while the networks work on the batch before them. Only a few
        images are on the way, however long the stream is. Closing the generator ends its threads.

        Args:
            sources: Images; read as they are needed, in the caller's thread.
            batch_size: Images that go through the networks and come back together; by default as many as
                suit the device.
            all_faces: Give one result for each face instead of the largest only.
            unmasked: Whether to score the crops with their backgrounds, too.
        """
        for batch in self.assess_batches(sources, batch_size, all_faces, unmasked):
            yield from chain.from_iterable(batch)

    def assess_batches(
        self,
        sources: Iterable[ImageSource | NamedImage],
        batch_size: int | None = None,
        all_faces: bool = False,
        unmasked: bool = False,
    ) -> Iterator[list[list[Assessment]]]:
        """As `assess_many`, a batch at a time: for each image of the batch a list with one assessment a face.

        Which images make a batch depends on nothing but their order.
        """
        named = (source if isinstance(source, NamedImage) else _named(source) for source in sources)
        find = partial(self._find, most=None if all_faces else 1)
        return self._batches(named, find, batch_size or self._batch_size, unmasked)

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
        check_crops(crops)
        if crops.shape[1] != crops.shape[2]:
            raise ValueError(f"face crops are square, (N, S, S, 3), not {crops.shape}")
        names = [str(number) for number in range(len(crops))] if names is None else names
        named = (NamedImage(name, crop) for name, crop in zip(names, crops, strict=True))
        batches = self._batches(named, partial(self._find, most=1, is_crop=True), self._batch_size, unmasked)
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
        return calibration.rejudge(assessment, policy, language)

    def _batches(
        self,
        images: Iterable[NamedImage],
        find: Callable[[NamedImage], list[Assessment] | list[_Candidate]],
        batch_size: int,
        unmasked: bool,
    ) -> Iterator[list[list[Assessment]]]:
        with (
            _closing(ThreadPoolExecutor(readers := available_cores(), POOL)) as reading,
            _closing(ThreadPoolExecutor(BATCHES_AT_ONCE, POOL)) as measuring,
        ):
            found = _ahead(reading, find, images, max(readers, batch_size))
            batches = iter(lambda: list(islice(found, batch_size)), [])
            yield from _ahead(measuring, partial(self._measure, unmasked=unmasked), batches, 1)

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
        result = Assessment(
            image=image.name, timings_ms=timings, models=self.models, engine=self.engine.as_dict()
        )
        try:
            if isinstance(image.source, ImageError):
                raise image.source
            with _timed(timings, "decoding"):
                photo = images.load(image.source)
        except ImageError as error:
            return None, _failed(result, Reason(error.code, error.message))
        return photo, replace(result, width=photo.shape[1], height=photo.shape[0])

    def _without_face(self, result: Assessment) -> Assessment:
        verdict = judge(None, self.policy)
        return replace(result, verdict=verdict.decision, reasons=verdict.reasons, policy=asdict(self.policy))

    def _cut_out(
        self, photo: np.ndarray, faces: list[Face], index: int, result: Assessment, is_crop: bool = False
    ) -> _Candidate:
        timings = dict(result.timings_ms)
        with _timed(timings, "refinement"):
            face = self._detector.refine(photo, faces[index])
        with _timed(timings, "alignment"):
            aligned = align(photo, face)
            crop = whole_crop(photo) if is_crop else crop_face(photo, face)
        found = replace(result, face=face, face_index=index, faces_found=len(faces))
        height, width = photo.shape[:2]
        return _Candidate(
            replace(found, timings_ms=timings), face, aligned, crop, (width, height), _second_area(faces)
        )

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
        crops = np.stack([candidate.crop.image for candidate in candidates])
        with _timed(timings, "mask"):
            masks = self._masker(crops)
            faces = [remove_background(*pair) for pair in zip(crops, masks.outline, strict=True)]
        found_faces = tuple(candidate.face for candidate in candidates)
        with _timed(timings, "apertures"):
            apertures = self._aperture_meter([candidate.crop for candidate in candidates], found_faces)
        batch = FaceBatch(
            faces=found_faces,
            poses=tuple(
                head_pose(candidate.face.landmarks, rotation)
                for candidate, rotation in zip(candidates, masks.rotation, strict=True)
            ),
            photo_sizes=tuple(candidate.photo_size for candidate in candidates),
            second_areas=tuple(candidate.second_area for candidate in candidates),
            to_photos=np.stack([candidate.crop.to_photo for candidate in candidates]),
            aligned=np.stack([candidate.aligned for candidate in candidates]),
            crops=crops,
            outline=masks.outline,
            visible=masks.visible,
            apertures=apertures,
            masked_faces=np.stack(faces),
        )

        def value(name: str) -> np.ndarray:
            with _timed(timings, name):
                return self._measurements[name](batch)

        def all_components() -> Mapping[str, np.ndarray]:
            with _timed(timings, "components"):
                return self._components(batch)

        names = [
            row.name
            for row in MEASURES
            if row.name in self._measurements and (unmasked or not row.on_request)
        ]
        found = self._measuring.submit(all_components)
        values = dict(zip(names, self._measuring.map(value, names), strict=True))
        quality = found.result()
        with _timed(timings, "distortions"):
            spoilt, native = distortions.measure(batch, values["dbcnn"]), distortions.native_sizes(batch)
        shares = {stage: milliseconds / len(candidates) for stage, milliseconds in timings.items()}
        return [
            Inspection(
                assessment=self._conclude(
                    replace(
                        candidate.result,
                        pose=batch.poses[i],
                        embedding=batch.by_products[EMBEDDING][i],
                        descriptor=describe(candidate.aligned),
                        distortions=spoilt[i],
                        native_size=native[i],
                    ),
                    {name: float(column[i]) for name, column in values.items()},
                    {name: _whole(column[i]) for name, column in quality.items()},
                    shares,
                ),
                pictures=FacePictures(
                    aligned=candidate.aligned,
                    crop=candidate.crop.image,
                    crop_box=candidate.crop.box,
                    outline=masks.outline[i],
                    visible=masks.visible[i],
                    masked_face=batch.masked_faces[i],
                ),
            )
            for i, candidate in enumerate(candidates)
        ]

    def _conclude(
        self,
        result: Assessment,
        values: dict[str, float],
        quality: dict[str, int | None],
        timings: dict[str, float],
    ) -> Assessment:
        """Round the measures, judge them, and say what they mean among the reference faces."""
        scores = {row.name: round(values[row.name], row.decimals) for row in MEASURES if row.name in values}
        result = replace(result, timings_ms={**result.timings_ms, **timings})
        try:
            judged = replace(result, verdict="reject", scores=scores, components=quality)
            return self.rejudge(judged, self.policy)
        except MeasureError:  # a measure out of its range is a failed one, and never a pass
            return _failed(result, plain_reason("measure_failed"))


@dataclass(frozen=True, slots=True, eq=False)
class _Candidate:
    """A face on its way to the networks.

    The photo is not kept: a stream has many faces on the way.
    """

    result: Assessment
    face: Face
    aligned: np.ndarray
    crop: FaceCrop
    photo_size: tuple[int, int]
    second_area: float


def _second_area(faces: Sequence[Face]) -> float:
    """Of faces, the largest first, the area of the second as a share of the first; 0 where there is none."""
    return faces[1].area / faces[0].area if len(faces) > 1 and faces[0].area > 0 else 0.0


def _engine(
    device: Device,
    engine: EngineChoice,
    models: weights.Models,
    roles: Sequence[Network],
    precision: Precision,
) -> Engine:
    """The engine of a device; torch is imported only where it runs the networks.

    Raises:
        DeviceError: when there is no such device, or the engine cannot serve it or the model set.
        WeightsError: when weights are missing or wrong.
    """
    cuda = device == "cuda" or (device == "auto" and engine != "openvino" and _has_cuda())
    if engine == "openvino" and (cuda or models == "research"):
        what = "CUDA devices" if cuda else "the model set 'research'"
        raise DeviceError("no_engine", f"OpenVINO does not serve {what} here. Use the engine 'auto'.")
    if engine == "openvino" or (engine == "auto" and not cuda and models == "open"):
        return OpenVinoEngine(roles, precision)
    try:
        from faceqa.engines.torch import TorchEngine, on_device
    except ImportError as error:
        raise DeviceError(
            "no_engine",
            f"Torch, or what its networks stand on, could not be imported ({error}). Run: pip install "
            f"'faceqa[gpu]', or use the engine 'openvino' on the device 'cpu'.",
        ) from error
    return TorchEngine(on_device("cuda" if cuda else "cpu"), models, roles, precision)


def _has_cuda() -> bool:
    if cuda_devices() == 0 or find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()


def _named(source: ImageSource, name: str | None = None) -> NamedImage:
    if name is not None:
        return NamedImage(name, source)
    if isinstance(source, (str, os.PathLike)):
        return NamedImage(os.fsdecode(source), source)
    name = getattr(source, "name", None) or getattr(source, "filename", None)
    return NamedImage(name if isinstance(name, str) else f"<{type(source).__name__}>", source)


def _whole(value: float) -> int | None:
    return None if math.isnan(value) else int(value)


def _failed(result: Assessment, reason: Reason) -> Assessment:
    return replace(result, verdict="error", reasons=(reason,), error=reason.message)


def _measurements(setup: Setup) -> dict[str, Measurement]:
    """The function of each row of the registry; a module that measures several rows is loaded once."""
    modules = dict.fromkeys(row.module for row in MEASURES if row.module is not None)
    return {
        name: function for module in modules for name, function in import_module(module).load(setup).items()
    }


@contextmanager
def _closing(pool: ThreadPoolExecutor) -> Iterator[ThreadPoolExecutor]:
    """The pool; at the end its tasks that have not begun are dropped, and its threads end."""
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _ahead(pool: ThreadPoolExecutor, work: Callable[[T], U], items: Iterable[T], at_once: int) -> Iterator[U]:
    """`work` of each item, in order; at most twice `at_once` items are on the way."""
    most = 2 * at_once
    pending: deque[Future[U]] = deque()
    for item in items:
        pending.append(pool.submit(work, item))
        while pending and (len(pending) > most or pending[0].done()):
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


@contextmanager
def _timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    timings[stage] = 1000 * (time.perf_counter() - start)
