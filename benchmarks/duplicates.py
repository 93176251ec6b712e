"""Near-duplicates: where the threshold comes from, what it finds, and a million faces.

    python benchmarks/duplicates.py [--data data] [--cache FOLDER] [--only threshold | scale]

*The same picture*: each picture beside changed copies of it (`CHANGES`), and neighbouring frames of films.
*Different pictures*: the two pictures that the London set has of each of 102 people, neutral and smiling,
taken one after the other; and all pairs of different people, also when every picture is reduced until the
face is `SMALL` px long.

Still pictures: debruine/webmorphR.stim (London, 3dsk), hmdghoul/generated-faces,
hatatori/random-faces and u1i/ai-faces; films: the .mp4 files of KwaiVGI/LivePortrait `assets/examples`, in
one folder `LivePortrait`. DIR holds these folders.

*The rule*: the threshold is the lowest multiple of 0.005 that keeps strangers apart, and the two pictures of
95 % of the people, on one half of them. The other half says what it does. Beside faceqa's vector, the
embedding and the descriptor alone are judged by the same rule.

*A million faces*: half of `SCALE` random faces have near-copies among the others, up to 1,000 of one.

Prints the figures and writes results/duplicates.json and results/duplicates_scale.json. Faces are kept in
--cache.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from tqdm import tqdm

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.report import machine, write
from faceqa.curation.duplicates import SIMILAR, find_groups, vector
from faceqa.curation.table import Row
from faceqa.engines.openvino import OpenVinoEngine
from faceqa.faces.alignment import align
from faceqa.faces.descriptor import LENGTH, describe
from faceqa.faces.detection import load_detector
from faceqa.reading import image

CACHE = Path.home() / ".cache/faceqa-benchmarks"

CHANGED = 30
"""Pictures of each source of which changed copies are made; of London all are compared with each other."""

LONGEST_SIDE = 640
"""px; larger pictures are reduced to it first."""

SMALL = 40
"""px."""

OF_A_PERSON = "two pictures of a person"

APART = 0.95
"""Share of these that the threshold keeps apart where it is chosen."""

GRID = 0.005
"""Of which the threshold is a multiple."""

FRAMES_APART = (1, 12, 24, 60)
"""Of films with 24 to 30 frames a second; the first are neighbours."""

RUN = 2
"""Neighbouring frames that are taken every `STEP` frames."""
STEP = 12
MOST_FRAMES = 150

SCALE = 1_000_000
LENGTHS = 128, LENGTH
"""Of embedding and descriptor."""

COPIES = np.geomspace(2, 1000, 40).astype(int)
"""How many nearly the same pictures there are of one, in turn."""


def jpeg(quality: int) -> Callable[[np.ndarray], np.ndarray]:
    """Encodes and decodes."""
    return lambda photo: encoded(photo, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality])


def encoded(photo: np.ndarray, kind: str, options: list[int]) -> np.ndarray:
    """A picture after a lossy codec."""
    return np.asarray(cv2.imdecode(cv2.imencode(kind, photo, options)[1], cv2.IMREAD_COLOR))


def resized(factor: float) -> Callable[[np.ndarray], np.ndarray]:
    """By area averaging down, bicubically up."""
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return lambda photo: cv2.resize(photo, None, fx=factor, fy=factor, interpolation=how)


def cropped(left: float, top: float, right: float, bottom: float) -> Callable[[np.ndarray], np.ndarray]:
    """Shares of the sides are cut off."""

    def crop(photo: np.ndarray) -> np.ndarray:
        height, width = photo.shape[:2]
        rows = slice(round(top * height), round((1 - bottom) * height))
        return photo[rows, round(left * width) : round((1 - right) * width)].copy()

    return crop


def brightened(gain: float) -> Callable[[np.ndarray], np.ndarray]:
    """Levels are multiplied, and clipped."""
    return lambda photo: np.clip(photo * gain, 0, 255).astype(np.uint8)


def gamma(power: float) -> Callable[[np.ndarray], np.ndarray]:
    """The middle tones are lifted."""
    return lambda photo: (255 * (photo / 255) ** power).astype(np.uint8)


def together(photo: np.ndarray) -> np.ndarray:
    """Halved, cropped, brightened and encoded."""
    for change in (resized(0.5), cropped(0.05, 0, 0, 0.05), brightened(1.2), jpeg(50)):
        photo = change(photo)
    return photo


CHANGES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "JPEG, quality 75": jpeg(75),
    "JPEG, quality 30": jpeg(30),
    "WebP, quality 40": lambda photo: encoded(photo, ".webp", [cv2.IMWRITE_WEBP_QUALITY, 40]),
    "half the size": resized(0.5),
    "a third of the size": resized(1 / 3),
    "1.5 times the size": resized(1.5),
    "cropped by 5 % at two sides": cropped(0.05, 0.05, 0, 0),
    "cropped by 8 % at three sides": cropped(0.08, 0.03, 0.08, 0.08),
    "brighter by 1.3": brightened(1.3),
    "darker by 0.7": brightened(0.7),
    "gamma 0.6": gamma(0.6),
    "halved, cropped, brighter, JPEG 50": together,
}


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Of N pictures that show a face: person, name and change (N,), embeddings (N, K), descriptors (N, L)."""

    people: np.ndarray
    names: np.ndarray
    changes: np.ndarray
    embeddings: np.ndarray
    descriptors: np.ndarray

    def vectors(self, which: str) -> np.ndarray:
        """Unit vectors, float32 (N, K), of which the inner product is a similarity."""
        if which == "both":
            pairs = zip(self.embeddings, self.descriptors, strict=True)
            return np.stack([vector(*pair) for pair in pairs]).astype(np.float32)
        found = self.embeddings if which == "embedding" else self.descriptors
        return found / np.linalg.norm(found, axis=1, keepdims=True)


def main() -> None:
    """Measure, print, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--only", choices=["threshold", "scale"])
    arguments = parser.parse_args()
    figures: dict = {"machine": machine(), "threshold": SIMILAR}
    if arguments.only != "scale":
        stills = features(arguments.cache / "duplicates-stills.npz", changed_stills(arguments.data))
        films = features(arguments.cache / "duplicates-films.npz", frames(arguments.data))
        figures["pictures"] = len(set(stills.names.tolist()))
        figures["frames"] = len(films.names)
        figures["by vector"] = {
            which: judged(stills.vectors(which), films.vectors(which), stills, films)
            for which in ("embedding", "descriptor", "both")
        }
        write("duplicates", figures)
    if arguments.only != "threshold":
        write("duplicates_scale", {"machine": machine(), **scale()})


def judged(still: np.ndarray, film: np.ndarray, stills: Features, films: Features) -> dict:
    """The threshold by the rule, and what it does on the other half."""
    halves = {"chosen on": half(stills.people), "told of": ~half(stills.people)}
    alike = {name: different(still[side], stills, side) for name, side in halves.items()}
    highest = max(
        np.quantile(values, APART if name == OF_A_PERSON else 1, method="higher")
        for name, values in alike["chosen on"].items()
    )
    threshold = float(np.floor(highest / GRID + 1) * GRID)
    side = halves["told of"]
    found: dict = {"threshold": round(threshold, 3), "taken for one": {}, "found": {}}
    for name, values in alike["told of"].items():
        found["taken for one"][name] = told(values, threshold)
    for change in CHANGES:
        values = paired(still, stills, change)[side[stills.changes == "none"]]
        found["found"][change] = told(values[np.isfinite(values)], threshold)
    for apart in FRAMES_APART:
        found["found"][f"frames {apart} apart"] = told(between_frames(film, films, apart), threshold)
    print(found)
    return found


def half(people: np.ndarray) -> np.ndarray:
    """The people on whom the threshold is chosen: bool (N,)."""
    return np.array([zlib.crc32(person.encode()) % 2 == 0 for person in people])


def told(values: np.ndarray, threshold: float) -> dict:
    """How many pairs, which share of them reaches the threshold, and quantiles."""
    return {
        "pairs": len(values),
        "share": round(float((values >= threshold).mean()), 4),
        "quantiles": [round(float(np.quantile(values, q)), 4) for q in (0, 0.05, 0.5, 0.95, 1)],
    }


def different(vectors: np.ndarray, stills: Features, side: np.ndarray) -> dict[str, np.ndarray]:
    """Similarities of different pictures among some: two of a person, and strangers, large and small."""
    people, names, changes = stills.people[side], stills.names[side], stills.changes[side]
    found = {}
    for name, change in (("strangers", "none"), (f"strangers, faces of {SMALL} px", "small")):
        chosen = changes == change
        alike = vectors[chosen] @ vectors[chosen].T
        same = people[chosen][:, None] == people[chosen]
        if change == "none":
            pairs = np.triu(same & (names[chosen][:, None] != names[chosen]))
            found[OF_A_PERSON] = alike[pairs]
        found[name] = alike[np.triu(~same)]
    return found


def paired(vectors: np.ndarray, stills: Features, change: str) -> np.ndarray:
    """Similarity of each picture to its changed copy, (N,); NaN where that shows no face."""
    places = {name: place for place, name in enumerate(stills.names) if stills.changes[place] == change}
    itself = np.flatnonzero(stills.changes == "none")
    return np.array([
        float(vectors[place] @ vectors[places[name]]) if (name := stills.names[place]) in places else np.nan
        for place in itself
    ])  # fmt: skip


def between_frames(vectors: np.ndarray, films: Features, apart: int) -> np.ndarray:
    """Similarities of frames of one film that are so far apart."""
    numbers = films.names.astype(int)
    same = films.people[:, None] == films.people
    return (vectors @ vectors.T)[same & (numbers - numbers[:, None] == apart)]


def features(path: Path, pictures: Iterator[tuple[str, str, str, np.ndarray]]) -> Features:
    """Features of (person, name, change, BGR) as far as they show a face; the faces are kept in a file."""
    if not path.is_file():
        _write_faces(path, pictures)
    with np.load(path) as known:
        aligned = known["aligned"]
        people, names, changes = (known[name] for name in ("people", "names", "changes"))
    engine = OpenVinoEngine(("embedding",))
    starts = range(0, len(aligned), 32)
    embeddings = [engine.run("embedding", aligned[start : start + 32])["embedding"] for start in starts]
    descriptors = np.stack([describe(crop) for crop in aligned])
    return Features(people, names, changes, np.concatenate(embeddings), descriptors)


def _write_faces(path: Path, pictures: Iterator[tuple[str, str, str, np.ndarray]]) -> None:
    detector = load_detector("open")
    found, crops = [], []
    for person, name, change, bgr in tqdm(pictures, desc=path.stem, mininterval=5):
        rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
        if faces := detector.detect(rgb):
            found.append((person, name, change))
            crops.append(align(rgb, detector.refine(rgb, faces[0])))
    people, names, changes = map(np.array, zip(*found, strict=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, people=people, names=names, changes=changes, aligned=np.stack(crops))


def changed_stills(data: Path) -> Iterator[tuple[str, str, str, np.ndarray]]:
    """Person, picture, change, and the changed picture, BGR."""
    detector = load_detector("open")
    for person, path, with_changes in stills(data):
        photo = cv2.cvtColor(image.load(path), cv2.COLOR_RGB2BGR)
        if (factor := LONGEST_SIDE / max(photo.shape[:2])) < 1:
            photo = resized(factor)(photo)
        name = str(path.relative_to(data))
        yield person, name, "none", photo
        for change, function in CHANGES.items() if with_changes else ():
            yield person, name, change, function(photo)
        faces = detector.detect(cv2.cvtColor(photo, cv2.COLOR_BGR2RGB))
        if faces and (factor := SMALL / faces[0].longer_side) < 1:
            yield person, name, "small", resized(factor)(photo)


def stills(data: Path) -> Iterator[tuple[str, Path, bool]]:
    """Person, file, and whether changed copies of it are made."""
    stim = data / "webmorphR.stim/inst"
    neutral, smiling = (
        sorted((stim / kind).glob("[!.]*.jpg")) for kind in ("neutral_front", "smiling_front")
    )
    step = len(neutral) // CHANGED
    for number, path in enumerate([*neutral, *smiling]):
        yield path.name.split("_")[0], path, number < len(neutral) and number % step == 0
    others = {
        "scans": sorted((stim / "3dsk").glob("*/[!.]*.jpg")),
        "generated": sorted((data / "generated-faces/images").rglob("*.jpg")),
        "random": sorted((data / "random-faces").glob("*man/*.jpg")),
        "ai": sorted((data / "ai-faces").glob("*.jpg")),
    }
    for paths in others.values():
        chosen = np.random.default_rng(0).permutation(len(paths))[:CHANGED]
        for place in sorted(chosen.tolist()):
            yield str(paths[place].relative_to(data)), paths[place], True


def frames(data: Path) -> Iterator[tuple[str, str, str, np.ndarray]]:
    """Film, number of the frame, no change, frame: runs of neighbours."""
    for path in sorted((data / "LivePortrait").glob("*.mp4")):
        with av.open(str(path)) as film:
            for number, frame in enumerate(film.decode(video=0)):
                if number >= MOST_FRAMES:
                    break
                if number % STEP < RUN:
                    yield path.stem, str(number), "none", frame.to_ndarray(format="bgr24")


def scale() -> dict:
    """Seconds, memory and found copies of `SCALE` faces."""
    owner = np.concatenate([
        np.arange(SCALE // 2),
        SCALE // 2 + np.repeat(np.arange(SCALE), np.resize(COPIES, SCALE))[: SCALE - SCALE // 2],
    ])  # fmt: skip
    owner = np.random.default_rng(0).permutation(owner)
    started, worked = time.monotonic(), time.process_time()
    groups = find_groups(synthetic(owner))
    seconds, processor = time.monotonic() - started, time.process_time() - worked
    alone = np.bincount(owner)[owner] == 1
    found = {
        "faces": SCALE,
        "seconds": round(seconds),
        "seconds of the processor": round(processor),
        "highest memory, MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "copies that are in a group": round(float((groups[~alone] != b"").mean()), 5),
        "groups for a picture with copies": round(pieces(owner[~alone], groups[~alone]), 5),
        "others that are in a group": int((groups[alone] != b"").sum()),
    }
    print(found)
    return found


def pieces(owner: np.ndarray, groups: np.ndarray) -> float:
    """Into how many groups the copies of a picture fall on average; 1 is right."""
    pairs = np.unique(np.stack([owner, np.unique(groups, return_inverse=True)[1]]), axis=1)
    return pairs.shape[1] / len(np.unique(owner))


def synthetic(owner: np.ndarray) -> Iterator[Row]:
    """Rows of which those of one owner are nearly the same: cosines of 0.99, where strangers' lie about 0."""
    scores = {"face_size": 300.0, "yaw": 0.0, "ser_fiq": 0.8, "occlusion": 0.0, "dbcnn": 60.0}
    noise = np.random.default_rng(1)
    for number, base in enumerate(owner.tolist()):
        vectors = np.random.default_rng(base).normal(size=sum(LENGTHS)) + noise.normal(0, 0.1, sum(LENGTHS))
        embedding, descriptor = np.split(vectors.astype(np.float16), [LENGTHS[0]])
        yield Row(f"{number}.jpg", "accept", scores=scores, embedding=embedding, descriptor=descriptor)


if __name__ == "__main__":
    main()
