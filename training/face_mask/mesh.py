"""MediaPipe's face mesh: 468 points of a face, of which 36 are its outline.

The network comes from the npm package @mediapipe/face_mesh 0.4.1657299874 (Apache-2.0), inside its packed
assets; it is run with ai-edge-litert.
"""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path

import cv2
import numpy as np

from faceqa.faces.alignment import transform_points
from faceqa.types import Face

PACKAGE = "@mediapipe/face_mesh@0.4.1657299874"
ASSETS = "package/face_mesh_solution_packed_assets.data"
NETWORK_BYTES = (2495952, 3737848)
GEOMETRY_BYTES = (3737848, 3757224)

SIDE = 192
"""Side of the network's input, px."""

# The outline from the top of the forehead clockwise (for the viewer): MediaPipe's FACEMESH_FACE_OVAL.
# fmt: off
OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148,
        176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)
# fmt: on
RIGHT_EYE, LEFT_EYE = 33, 263  # the outer corners


class FaceMesh:
    """Finds the mesh of one face."""

    def __init__(self, folder: Path):
        from ai_edge_litert.interpreter import Interpreter

        self._network = Interpreter(
            model_path=str(_asset(folder, "face_landmark.tflite", NETWORK_BYTES)), num_threads=1
        )
        self._network.allocate_tensors()
        self._input = self._network.get_input_details()[0]["index"]
        outputs = self._network.get_output_details()
        self._points = next(o["index"] for o in outputs if np.prod(o["shape"]) == 1404)
        self._presence = next(o["index"] for o in outputs if np.prod(o["shape"]) == 1)

    def __call__(self, image: np.ndarray, face: Face) -> tuple[np.ndarray, float]:
        """The mesh of a face, found in two passes: framed by the detector, then by the first mesh.

        Args:
            image: RGB uint8 (H, W, 3).
            face: A face of this picture.

        Returns:
            float32 (468, 3) in px of the picture, z growing away from the viewer; the presence logit.
        """
        eyes = np.asarray(face.landmarks[:2])
        roll = np.arctan2(eyes[1, 1] - eyes[0, 1], eyes[1, 0] - eyes[0, 0])
        roll = float(roll) if np.hypot(*(eyes[1] - eyes[0])) > 0.2 * face.width else 0.0
        centre = np.array([(face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2])
        points, _ = self._run(image, centre, 1.5 * face.longer_side, roll)
        xy = points[:, :2]
        across = xy[LEFT_EYE] - xy[RIGHT_EYE]
        roll = float(np.arctan2(across[1], across[0]))
        centre = (xy.min(axis=0) + xy.max(axis=0)) / 2
        return self._run(image, centre, 1.5 * float(np.ptp(xy, axis=0).max()), roll)

    def _run(
        self, image: np.ndarray, centre: np.ndarray, side: float, roll: float
    ) -> tuple[np.ndarray, float]:
        scale, cos, sin = side / SIDE, np.cos(roll), np.sin(roll)
        turn = scale * np.array([[cos, -sin], [sin, cos]])
        to_photo = np.column_stack([turn, centre - turn @ np.full(2, (SIDE - 1) / 2)])
        flags = cv2.WARP_INVERSE_MAP | (cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR)
        crop = cv2.warpAffine(image, to_photo, (SIDE, SIDE), flags=flags)
        self._network.set_tensor(self._input, crop[None].astype(np.float32) / 255)
        self._network.invoke()
        points = self._network.get_tensor(self._points).reshape(468, 3)
        presence = float(self._network.get_tensor(self._presence).item())
        xy = transform_points(points[:, :2], to_photo)
        return np.column_stack([xy, points[:, 2] * scale]).astype(np.float32), presence


def canonical_model(folder: Path) -> np.ndarray:
    """MediaPipe's canonical face model, float64 (468, 3) in cm: x right, y down, z away from the viewer."""
    # A protobuf's repeated float: a tag byte before each; x, y, z, u, v of each vertex; y up, z to viewers.
    record = np.dtype([("tag", "u1"), ("value", "<f4")])
    file = _asset(folder, "geometry.bin", GEOMETRY_BYTES)
    vertices = np.frombuffer(file.read_bytes(), record, 5 * 468, offset=8)["value"]
    return vertices.reshape(-1, 5)[:, :3].astype(np.float64) * (1, -1, -1)


def _asset(folder: Path, name: str, place: tuple[int, int]) -> Path:
    """Take a file out of the npm package, once."""
    path = folder / name
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        packed = json.loads(
            subprocess.run(
                ["npm", "pack", PACKAGE, "--json"], cwd=folder, check=True, capture_output=True
            ).stdout
        )
        with tarfile.open(folder / packed[0]["filename"]) as archive:
            assets = archive.extractfile(ASSETS)
            if assets is None:
                raise FileNotFoundError(ASSETS)
            path.write_bytes(assets.read()[slice(*place)])
    return path
