"""MediaPipe's iris network: where the lids are, far more exactly than the face mesh knows.

The network is a file of the PyPI wheel mediapipe 0.10.14 (Apache-2.0); it is run with ai-edge-litert.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np

sys.path.append(str(Path(__file__).parents[2]))

from faceqa.faces.alignment import transform_points
from training.apertures.expressions import BELOW, CORNERS, CREASES, LOWER_LIDS, SOCKETS, UPPER_LIDS

VERSION = "0.10.14"
NETWORK = "mediapipe/modules/iris_landmark/iris_landmark.tflite"

SIDE = 64
"""Of the network's input, px."""

REACH = 2.3
"""Side of what it sees, in distances of the corners of the eye."""

# fmt: off
OUTER = ((130, 243), (359, 463))
FAR = (((226, 244), (31, 228, 229, 230, 231, 232, 233)), ((446, 464), (261, 448, 449, 450, 451, 452, 453)))
# fmt: on

ORDER = tuple(
    (
        *(CORNERS[eye][0], *LOWER_LIDS[eye], CORNERS[eye][1], *UPPER_LIDS[eye]),
        *(OUTER[eye][0], *BELOW[eye], OUTER[eye][1], *CREASES[eye]),
        *(FAR[eye][0][0], *FAR[eye][1], FAR[eye][0][1], *SOCKETS[eye]),
    )
    for eye in (0, 1)
)
"""The first points that the network finds of an eye, as points of the face mesh."""


class Lids:
    """Corrects the points of the eyes in a face mesh."""

    def __init__(self, folder: Path):
        from ai_edge_litert.interpreter import Interpreter

        self._network = Interpreter(model_path=str(asset(folder)), num_threads=1)
        self._network.allocate_tensors()
        self._input = self._network.get_input_details()[0]["index"]
        outputs = self._network.get_output_details()
        self._points = next(o["index"] for o in outputs if np.prod(o["shape"]) == 213)

    def __call__(self, image: np.ndarray, points: np.ndarray) -> np.ndarray:
        """The mesh (468, 3) of a face in a picture, RGB uint8 (H, W, 3), with the eyes as they are."""
        found = points.copy()
        for eye in (0, 1):
            order = list(ORDER[eye])
            outer, inner = points[list(CORNERS[eye]), :2]
            way = (inner - outer) * (1 if eye == 0 else -1)
            scale = REACH * np.linalg.norm(way) / SIDE
            cos, sin = way / np.linalg.norm(way)
            turn = scale * np.array([[cos, -sin], [sin, cos]]) @ np.diag([1 if eye == 0 else -1, 1])
            to_photo = np.column_stack([turn, (outer + inner) / 2 - turn @ np.full(2, (SIDE - 1) / 2)])
            flags = cv2.WARP_INVERSE_MAP | (cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR)
            crop = cv2.warpAffine(image, to_photo, (SIDE, SIDE), flags=flags)
            self._network.set_tensor(self._input, crop[None].astype(np.float32) / 255)
            self._network.invoke()
            shown = self._network.get_tensor(self._points).reshape(-1, 3)[: len(order), :2]
            found[order, :2] = transform_points(shown, to_photo)
        return found


def asset(folder: Path) -> Path:
    """The network's file, taken out of the wheel once."""
    path = folder / Path(NETWORK).name
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        wanted = ("--no-deps", "--dest", folder, "--only-binary=:all:", f"mediapipe=={VERSION}")
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", *wanted], check=True)
        with zipfile.ZipFile(next(folder.glob(f"mediapipe-{VERSION}-*.whl"))) as wheel:
            path.write_bytes(wheel.read(NETWORK))
    return path
