"""How far head poses can be trusted: faceqa's, and what they are made of, the network and five landmarks.

    python benchmarks/pose.py --data DIR [--every N]

DIR holds, by these names, what is there (each part is optional but the first three):

    face_mesh/        npm pack @mediapipe/face_mesh@0.4.1657299874, unpacked (Apache-2.0)
    3DDFA_V2/         GitHub cleardusk/3DDFA_V2 (MIT): OFIQ's pose network, at half width
    generated-faces/  GitHub hmdghoul/generated-faces: synthetic portraits
    SFHQ-T2I-dataset/ GitHub SelfishGene/SFHQ-T2I-dataset (MIT): synthetic, of varied pose and light
    BIQ2021/          GitHub nisarahmedrana/BIQ2021: photographs, about 1,400 faces of 64 px or more
    webmorphR.stim/   GitHub debruine/webmorphR.stim (CC BY 4.0): 102 people, neutral, facing a studio camera
    PRNet/            GitHub YadiraF/PRNet: TestImages/AFLW2000, 16 photographs with fitted pose labels
    LeePerrySmith/    LeePerrySmith.glb (Draco) and color.jpg, a scanned head (Infinite-Realities, CC BY 3.0),
                      as in GitHub pooch1e/threeJsPortfolio, static/

and `pip install ai-edge-litert DracoPy` brings what faceqa itself does not need.

Ground truth is scarce, so there are four kinds of it. *Reference*: the mean rotation of MediaPipe's 468-point
mesh and 3DDFA V2 where the two agree to 12 degrees; they are independent, and their distance is printed (the
mesh has taught the network). *Labels* of AFLW2000. *Rendered*: a scanned head turned by known angles. *Known
changes*: a photo turned or mirrored.
"""

from __future__ import annotations

import argparse
import itertools
import json
import pickle
import struct
import sys
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.report import machine, write
from faceqa.engines.openvino import OpenVinoEngine
from faceqa.faces.alignment import crop_face
from faceqa.faces.detection import load_detector
from faceqa.faces.mask import FaceMasker
from faceqa.faces.pose import head_pose, pose_of_landmarks, pose_of_rotation
from faceqa.reading import image
from faceqa.reading.sources import source_files
from faceqa.types import Face

MIN_WIDTH = 64  # px of a face in the photo
MAX_DISAGREEMENT = 12.0  # degrees between the two references
ANGLES = ("yaw", "pitch", "roll")
MIN_SPREAD = 3.0  # degrees of an angle within a source, below which it has no slope
YAW_BINS = ((0, 15), (15, 30), (30, 45), (45, 60), (60, 75), (75, 91))
WAYS = ("faceqa", "network", "five landmarks")
FLIP = np.diag([1.0, -1.0, -1.0])  # y up, z to the viewer <-> y down, z away from the camera

SYNTHETIC = {"generated-faces": "images", "SFHQ-T2I-dataset": "figures"}
REAL = {"BIQ2021": "Images", "webmorphR.stim": "inst/neutral_front"}


@dataclass
class Sample:
    """One face: its pose in all ways, by name, (3,) degrees each; and its true rotation."""

    told: dict[str, np.ndarray]
    truth: np.ndarray
    disagreement: float | None = None  # of the references, degrees


def main() -> None:
    """Measure, print the tables, write results/pose.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--every", type=int, default=2, help="take every n-th picture of the large folders")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)

    faces = Faces(options.data)
    samples = {
        name: list(faces.referenced(pictures(options.data / name / folder, options.every)))
        for name, folder in {**SYNTHETIC, **REAL}.items()
        if (options.data / name).is_dir()
    }
    if (options.data / "PRNet").is_dir():
        samples["AFLW2000 labels"] = list(faces.labelled(options.data / "PRNet/TestImages/AFLW2000"))
    if (options.data / "LeePerrySmith").is_dir():
        samples["rendered scan"] = list(faces.rendered(options.data / "LeePerrySmith"))
    figures: dict = {"machine": machine()}
    figures["sources"] = show_sources(samples)
    figures["yaw"] = show_yaw_bins(samples)
    figures["changes"] = show_changes(faces, options.data)
    write("pose", figures)


# --- ground truth ------------------------------------------------------------------------------------------


class Faces:
    """Finds the faces of pictures and says how each is turned."""

    def __init__(self, data: Path):
        self.detector = load_detector()
        self.masker = FaceMasker(OpenVinoEngine(["face_mask"]))
        self.mesh = Mesh(data / "face_mesh")
        self.morphable = MorphableModel(data / "3DDFA_V2")

    def find(self, photo: np.ndarray) -> list[Face]:
        """All faces, with the landmarks that the scorer uses."""
        return [self.detector.refine(photo, face) for face in self.detector.detect(photo)]

    def sample(
        self, photo: np.ndarray, face: Face, truth: np.ndarray, disagreement: float | None = None
    ) -> Sample:
        """What is told of a face."""
        rotation = self.masker(crop_face(photo, face).image[None]).rotation[0]
        ways = (
            head_pose(face.landmarks, rotation),
            pose_of_rotation(rotation),
            pose_of_landmarks(face.landmarks),
        )
        told = [np.full(3, np.nan) if pose is None else np.array(astuple(pose)) for pose in ways]
        return Sample(dict(zip(WAYS, told, strict=True)), truth, disagreement)

    def referenced(self, files: Iterable[Path]) -> Iterator[Sample]:
        """Every face that both references see alike."""
        for file in files:
            photo = image.load(file)
            for face in self.find(photo):
                if face.width < MIN_WIDTH:
                    continue
                mesh = self.mesh.rotation(photo, face)
                if mesh is None:
                    continue
                both = np.stack([mesh, self.morphable.rotation(photo, face)])
                apart = angle_between(*both)
                if apart <= MAX_DISAGREEMENT:
                    yield self.sample(photo, face, nearest_rotation(both.sum(0)), apart)

    def labelled(self, folder: Path) -> Iterator[Sample]:
        """AFLW2000: pitch, yaw and roll of a fitted 3D face, composed as in its own code."""
        from scipy.io import loadmat

        for file in sorted(folder.glob("*.jpg")):
            pitch, yaw, roll = loadmat(file.with_suffix(".mat"))["Pose_Para"][0, :3]
            # Its axes point up and to the viewer and its matrices turn the other way round.
            label = turn(0, -pitch) @ turn(1, -yaw) @ turn(2, -roll)
            photo = image.load(file)
            face = max(self.find(photo), key=lambda face: face.area)
            yield self.sample(photo, face, FLIP @ label @ FLIP)

    def rendered(self, folder: Path) -> Iterator[Sample]:
        """A scanned head seen from 1 m, turned by known angles."""
        scan = Scan(folder)
        for yaw, pitch in itertools.product(range(-90, 91, 10), (-30, -15, 0, 15, 30)):
            truth = rotation(yaw, pitch, 0)
            photo = scan.photo(truth)
            for face in self.find(photo)[:1]:
                yield self.sample(photo, face, truth)


class Mesh:
    """MediaPipe Face Mesh: 468 points in three dimensions, laid over the canonical face model."""

    ASSETS = "face_mesh_solution_packed_assets.data"
    NETWORK, GEOMETRY = (
        slice(2495952, 3737848),
        slice(3737848, 3757224),
    )  # bytes, by its own table of contents
    POINTS, SIDE, MARGIN = 468, 192, 1.5
    EYES = (33, 263)  # outer corners, right and left
    MIN_PRESENCE = 0.9

    def __init__(self, folder: Path):
        from ai_edge_litert.interpreter import Interpreter

        assets = (next(folder.rglob(self.ASSETS))).read_bytes()
        self._network = Interpreter(model_content=assets[self.NETWORK], num_threads=1)
        self._network.allocate_tensors()
        # A protobuf's repeated float: a tag byte before each; x, y, z, u, v of each vertex, in cm.
        record = np.dtype([("tag", "u1"), ("value", "<f4")])
        vertices = np.frombuffer(assets[self.GEOMETRY], record, 5 * self.POINTS, offset=8)["value"]
        self.canonical = vertices.reshape(-1, 5)[:, :3] @ FLIP

    def rotation(self, photo: np.ndarray, face: Face) -> np.ndarray | None:
        """None where the network sees no face."""
        points, presence = self._fit(photo, face)
        if presence < self.MIN_PRESENCE:
            return None
        centred = points - points.mean(0), self.canonical - self.canonical.mean(0)
        return nearest_rotation(centred[0].T @ centred[1])

    def _fit(self, photo: np.ndarray, face: Face) -> tuple[np.ndarray, float]:
        """Three looks, each upright and framed by the one before: (468, 3) px and the presence in [0, 1]."""
        x1, y1, x2, y2 = face.box
        corners = np.array([(x1, y1), (x2, y1), (x1, y2), (x2, y2)])
        right, left = np.array(face.landmarks[:2])
        for _ in range(3):
            along = (left - right) / max(np.linalg.norm(left - right), 1e-6)
            axes = np.array([along, (-along[1], along[0])])
            low, high = (corners @ axes.T).min(0), (corners @ axes.T).max(0)
            scale = self.MARGIN * (high - low).max() / self.SIDE
            origin = (low + high) / 2 @ axes - scale * (self.SIDE - 1) / 2 * axes.sum(0)
            matrix = np.column_stack([scale * axes.T, origin])
            flags = cv2.INTER_AREA | cv2.WARP_INVERSE_MAP
            crop = cv2.warpAffine(photo, matrix, (self.SIDE, self.SIDE), flags=flags)
            points, presence = self._run(crop)
            corners = points[:, :2] @ matrix[:, :2].T + origin
            right, left = corners[list(self.EYES)]
        return np.column_stack([corners, scale * points[:, 2]]), presence

    def _run(self, crop: np.ndarray) -> tuple[np.ndarray, float]:
        outputs = [output["index"] for output in self._network.get_output_details()]
        index = self._network.get_input_details()[0]["index"]
        self._network.set_tensor(index, crop[None].astype(np.float32) / 255)
        self._network.invoke()
        points, logit = (self._network.get_tensor(output).ravel() for output in outputs)
        return points.reshape(-1, 3).astype(float), float(1 / (1 + np.exp(-logit[0])))


class MorphableModel:
    """3DDFA V2: the rotation among the parameters of a 3D morphable model, by a half-width MobileNet."""

    SIDE = 120

    def __init__(self, folder: Path):
        sys.path.insert(0, str(folder))
        from models.mobilenet_v1 import MobileNet

        state = torch.load(folder / "weights/mb05_120x120.pth", map_location="cpu", weights_only=False)
        weights = {name.removeprefix("module."): value for name, value in state["state_dict"].items()}
        weights = {name.replace("fc_param", "fc"): v for name, v in weights.items() if "fc_lm" not in name}
        self._network = MobileNet(widen_factor=0.5, num_classes=62).eval()
        self._network.load_state_dict(weights)
        scaling = pickle.loads((folder / "configs/param_mean_std_62d_120x120.pkl").read_bytes())
        self._mean, self._std = scaling["mean"], scaling["std"]

    def rotation(self, photo: np.ndarray, face: Face) -> np.ndarray:
        """From the square that its own code cuts out of a detector's box."""
        x1, y1, x2, y2 = face.box
        side = (face.width + face.height) / 2
        centre = np.array([(x1 + x2) / 2, (y1 + y2) / 2 + 0.14 * side])
        scale = 1.58 * side / self.SIDE
        matrix = np.column_stack([scale * np.eye(2), centre - scale * (self.SIDE - 1) / 2])
        flags = cv2.INTER_AREA | cv2.WARP_INVERSE_MAP
        crop = cv2.warpAffine(photo, matrix, (self.SIDE, self.SIDE), flags=flags)[..., ::-1]
        batch = torch.from_numpy((crop.astype(np.float32) - 127.5) / 128).permute(2, 0, 1)[None]
        with torch.inference_mode():
            parameters = self._network(batch)[0].numpy() * self._std + self._mean
        first, second = (row / np.linalg.norm(row) for row in parameters[:12].reshape(3, 4)[:2, :3])
        return FLIP @ nearest_rotation(np.array([first, second, np.cross(first, second)])) @ FLIP


class Scan:
    """A textured 3D head, drawn triangle by triangle from back to front."""

    SIDE, SCALE, DISTANCE = 400, 62, 15.0  # px; px a unit; units: 1 m from a head 4 units high
    CENTRE = np.array([0, -1.6, -1.0])
    LIGHT = np.array([-0.3, -0.5, -0.8]) / np.linalg.norm([-0.3, -0.5, -0.8])

    def __init__(self, folder: Path):
        import DracoPy

        binary = (folder / "LeePerrySmith.glb").read_bytes()
        length = struct.unpack("<I", binary[12:16])[0]
        view = json.loads(binary[20 : 20 + length])["bufferViews"][0]
        mesh = DracoPy.decode(binary[28 + length :][: view["byteLength"]])
        self._points = np.array(mesh.points, float) @ FLIP - self.CENTRE
        self._triangles = np.array(mesh.faces)
        texture = image.load(folder / "color.jpg")
        place = np.array(mesh.tex_coord)[self._triangles].mean(1) * [1, -1] + [0, 1]
        columns, rows = (place * texture.shape[1::-1]).astype(int).T
        self._colours = cv2.GaussianBlur(texture, (0, 0), 1.5)[rows, columns]
        self._normals = np.array(mesh.normals, float)[self._triangles].mean(1) @ FLIP

    def photo(self, rotation: np.ndarray) -> np.ndarray:
        """RGB uint8 of the head turned by a rotation."""
        points = self._points @ rotation.T
        nearness = self.DISTANCE / (self.DISTANCE + points[:, 2:])
        corners = (points[:, :2] * nearness * self.SCALE + self.SIDE / 2)[self._triangles]
        shade = 0.45 + 0.6 * np.clip(self._normals @ rotation.T @ self.LIGHT, 0, None)
        colours = np.clip(self._colours * shade[:, None], 0, 255)
        canvas = np.full((self.SIDE, self.SIDE, 3), 150, np.uint8)
        for index in np.argsort(-points[self._triangles, 2].mean(1)):
            polygon = np.round(corners[index] * 16).astype(np.int32)
            cv2.fillConvexPoly(canvas, polygon, colours[index].tolist(), cv2.LINE_8, shift=4)
        return canvas


# --- geometry, written apart from faceqa/faces/pose.py -----------------------------------------------------


def turn(axis: int, angle: float) -> np.ndarray:
    """Right-handed rotation about a coordinate axis, radians."""
    return cv2.Rodrigues(np.eye(3)[axis] * angle)[0]


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """ISO/IEC 39794-5 in a camera's axes (x right, y down, z away): first roll, then pitch, then yaw."""
    yaw, pitch, roll = np.radians([yaw, pitch, roll])
    return turn(1, -yaw) @ turn(0, pitch) @ turn(2, -roll)


def angles(matrix: np.ndarray) -> np.ndarray:
    """Yaw, pitch and roll in degrees of a rotation."""
    look = -matrix[:, 2]
    return np.degrees(
        [np.arctan2(look[0], -look[2]), np.arcsin(look[1]), np.arctan2(-matrix[1, 0], matrix[1, 1])]
    )


def nearest_rotation(matrix: np.ndarray) -> np.ndarray:
    """The rotation nearest to a 3 x 3 matrix."""
    left, _, right = np.linalg.svd(matrix)
    return left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right


def angle_between(first: np.ndarray, second: np.ndarray) -> float:
    """The angle of the rotation that takes one to the other, degrees."""
    return float(np.degrees(np.arccos(np.clip((np.trace(first.T @ second) - 1) / 2, -1, 1))))


def wrapped(difference: np.ndarray) -> np.ndarray:
    """Angles to [-180, 180)."""
    return (difference + 180) % 360 - 180


# --- tables ------------------------------------------------------------------------------------------------


def pictures(folder: Path, every: int) -> list[Path]:
    """The images of a folder, thinned if there are many."""
    files = list(source_files([folder]))
    return files[::every] if len(files) > 1000 else files


def deviations(samples: list[Sample], way: str) -> tuple[np.ndarray, np.ndarray]:
    """True angles and errors, both (N, 3) degrees."""
    truth = np.array([angles(sample.truth) for sample in samples])
    return truth, wrapped(np.array([sample.told[way] for sample in samples]) - truth)


def mae(errors: np.ndarray) -> dict[str, float]:
    """Mean absolute error by angle."""
    return {name: round(float(value), 1) for name, value in zip(ANGLES, np.abs(errors).mean(0), strict=True)}


def row(label: str, figures: dict[str, float], *more: str) -> None:
    """Print a line of a table."""
    print(
        f"{label:42}" + "".join(f"{figures[name]:8.1f}" for name in ANGLES) + "".join(f"  {m}" for m in more)
    )


def show_sources(samples: dict[str, list[Sample]]) -> dict:
    """Both ways on every source."""
    print("mean absolute error, degrees          yaw   pitch    roll   faces  references apart  slopes")
    table: dict[str, dict] = {}
    for name, group in samples.items():
        apart = [sample.disagreement for sample in group if sample.disagreement is not None]
        references = round(float(np.mean(apart)), 1) if apart else None
        table[name] = {"faces": len(group), "references_apart": references}
        for way in WAYS:
            truth, errors = deviations(group, way)
            varied = [
                float(np.polyfit(true, true + error, 1)[0]) if true.std() > MIN_SPREAD else None
                for true, error in zip(truth.T, errors.T, strict=True)
            ]
            figures = mae(errors)
            table[name][way] = {
                "mae": figures,
                "bias": dict(zip(ANGLES, errors.mean(0).round(1).tolist(), strict=True)),
                "slope": {a: s and round(s, 2) for a, s in zip(ANGLES, varied, strict=True)},
            }
            shown = " ".join("   -" if slope is None else f"{slope:4.2f}" for slope in varied)
            row(f"{name}, {way}", figures, f"{len(group):6}  {references or '-':>16}  {shown}")
    return table


def show_yaw_bins(samples: dict[str, list[Sample]]) -> list[dict]:
    """Both ways by how far the face is turned."""
    print("\nby true yaw                           yaw   pitch    roll   faces  yaw outwards")
    table = []
    for name, (low, high) in itertools.product(("SFHQ-T2I-dataset", "BIQ2021", "rendered scan"), YAW_BINS):
        for way in WAYS:
            truth, errors = deviations(samples[name], way) if samples.get(name) else (np.zeros((0, 3)),) * 2
            inside = (np.abs(truth[:, 0]) >= low) & (np.abs(truth[:, 0]) < high)
            if inside.sum() < 5:
                continue
            outwards = round(float((errors[inside, 0] * np.sign(truth[inside, 0])).mean()), 1)
            figures = mae(errors[inside])
            bins = {"source": name, "way": way, "yaw": [low, high], "faces": int(inside.sum())}
            table.append(bins | {"mae": figures, "outwards": outwards})
            row(f"{name} {low}-{min(high, 90)}, {way}", figures, f"{inside.sum():6}  {outwards:12.1f}")
    return table


def show_changes(faces: Faces, data: Path) -> dict:
    """How the pose follows when a portrait is turned in its plane, mirrored or made half as large."""
    portraits = [image.load(file) for file in pictures(data / "generated-faces/images", 80)]
    turned: dict[int, list[float]] = {step: [] for step in (-40, -30, -20, -10, 10, 20, 30, 40)}
    mirrored, halved = [], []

    def told(photo: np.ndarray) -> np.ndarray:
        return faces.sample(photo, faces.find(photo)[0], np.eye(3)).told["faceqa"]

    for photo in portraits:
        height, width = photo.shape[:2]
        upright = told(photo)
        for step, errors in turned.items():
            matrix = cv2.getRotationMatrix2D((width / 2, height / 2), step, 1)
            picture = cv2.warpAffine(photo, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
            if faces.find(picture):
                expected = angles(turn(2, -np.radians(step)) @ rotation(*upright))
                errors.append(float(wrapped(told(picture)[2] - expected[2])))
        mirrored.append(told(np.ascontiguousarray(photo[:, ::-1])) * [-1, 1, -1] - upright)
        small = cv2.resize(photo, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        halved.append(told(small) - upright)
    print(f"\nknown changes, {len(portraits)} portraits                  yaw   pitch    roll")
    row("mirrored", mae(np.array(mirrored)))
    row("half the size", mae(np.array(halved)))
    rolls = {step: round(float(np.mean(errors)), 1) for step, errors in turned.items()}
    print("turned in the plane by (degrees)  " + "".join(f"{step:+7}" for step in rolls))
    print("mean error of roll                " + "".join(f"{error:+7.1f}" for error in rolls.values()))
    return {
        "portraits": len(portraits),
        "mirrored": mae(np.array(mirrored)),
        "half_size": mae(np.array(halved)),
        "roll_error_when_turned": rolls,
    }


if __name__ == "__main__":
    main()
