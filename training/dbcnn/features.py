"""The features below the layers that are fine-tuned, for every training picture once.

EfficientNet-Lite0 up to stride 8, with its ImageNet weights, and the pre-trained S-CNN stay as they are; on a
CPU they would cost four fifths of the training. An interrupted run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

sys.path.append(str(Path(__file__).parents[2]))


from faceqa.faces.alignment import CROP_SIZE
from faceqa.networks.dbcnn import LITE0_LEVELS, SCNN_CHANNELS, DbcnnNet, Lite0Features, shown
from training.dbcnn.crops import biq2021, read
from training.dbcnn.scnn import Scnn
from training.dbcnn.series import VIEWS, cut, remove
from training.weights_io import load_imagenet

BATCH = 16
CUTS = 1
"""Ways in which the background of each face with an opinion score is cut away; one more view keeps it."""


def main() -> None:
    """Write low_*.npy, synthetic_*.npy and weight_*.npy for "biq", "faces" and "series"."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--run", type=Path, default=Path("runs/dbcnn"))
    parser.add_argument("--groups", nargs="*", default=["biq", "faces", "series"])
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    net = start(arguments.run)
    net.to(device)
    for group in arguments.groups:
        count, picture = pictures(group, arguments.data, arguments.run)
        compute(net, group, count, picture, arguments.run, device)


def lite0(net: DbcnnNet) -> Lite0Features:
    """The branch that is trained; the features of another one are of no use here."""
    if not isinstance(net.features1, Lite0Features):
        raise TypeError(f"the branch is {net.branch}, not lite0")
    return net.features1


def start(run: Path) -> DbcnnNet:
    """The network with the weights that the fine-tuning begins with, in evaluation mode."""
    net = DbcnnNet("lite0")
    load_imagenet(net.features1, own="mix.")
    scnn = Scnn()
    scnn.load_state_dict(torch.load(run / "scnn.pt", map_location="cpu", weights_only=True)["net"])
    net.features2.load_state_dict(scnn.features.state_dict())
    return net.eval()


def pictures(group: str, data: Path, run: Path) -> tuple[int, Callable[[int], np.ndarray]]:
    """How many pictures a group has, and the picture of a number: RGB uint8 (384, 384, 3)."""
    if group in ("biq", "mirrored"):
        paths = biq2021(data, "Train").paths
        step = -1 if group == "mirrored" else 1
        return len(paths), lambda number: whole(read(paths[number]))[:, ::step]
    if group == "series":
        views = np.load(run / "series_images.npy", mmap_mode="r")
        return len(np.load(run / "series.npz")["drop"]) * VIEWS, lambda number: views[number]
    crops = np.load(run / "opinion_faces.npz")
    images, outlines = crops["image"], crops["outline"]

    def face(number: int) -> np.ndarray:
        place, way = divmod(number, CUTS + 1)
        if way == CUTS:
            return images[place]
        rng = np.random.default_rng(number)
        return remove(images[place], cut(outlines[place], rng), rng)

    return len(images) * (CUTS + 1), face


def whole(image: np.ndarray) -> np.ndarray:
    """A picture of 512 x 512 px brought to the size of faceqa's crops."""
    return cv2.resize(image, (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_AREA)


@torch.inference_mode()
def compute(
    net: DbcnnNet,
    group: str,
    count: int,
    picture: Callable[[int], np.ndarray],
    run: Path,
    device: torch.device,
) -> None:
    """Fill a group's arrays, float16, from where they were left."""
    grid = CROP_SIZE // 16
    shapes = {
        "low": (count, LITE0_LEVELS[0], 2 * grid, 2 * grid),
        "synthetic": (count, SCNN_CHANNELS, grid, grid),
        "weight": (count, 1, grid, grid),
    }
    branch = lite0(net)
    names = {name: run / f"{name}_{group}.npy" for name in shapes}
    mode = "r+" if names["weight"].is_file() else "w+"
    arrays = {
        name: np.lib.format.open_memmap(names[name], mode, np.float16, shape)
        for name, shape in shapes.items()
    }
    done = int(np.count_nonzero(arrays["weight"][:, 0, 0, 0]))  # a weight is never 0
    began, first = time.monotonic(), done
    for start_ in range(done, count, BATCH):
        stop = min(start_ + BATCH, count)
        batch = np.stack([picture(number) for number in range(start_, stop)]).transpose(0, 3, 1, 2)
        image = torch.from_numpy(np.ascontiguousarray(batch)).to(device).float() / 255
        image = image.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16):
            low = branch.low(image * 2 - 1)
            synthetic = net.features2((image - net.mean) / net.std)
        arrays["low"][start_:stop] = low.float().cpu().numpy()
        arrays["synthetic"][start_:stop] = synthetic.float().cpu().numpy()
        arrays["weight"][start_:stop] = shown(image, (grid, grid)).cpu().numpy()
        if start_ // BATCH % 50 == 0:
            minutes = (time.monotonic() - began) / 60
            print(f"{group}: {stop} of {count}, {stop - first} in {minutes:.1f} min", flush=True)
    for array in arrays.values():
        array.flush()


if __name__ == "__main__":
    main()
