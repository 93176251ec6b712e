"""Average the automatic labels of the training faces with what a first network says about the same faces.

GrabCut errs differently on every picture and a network learns what its errors do not have in common
(bootstrapping, Reed et al. 2014). The held-out faces, the hand-marked outlines and the
faces with sunglasses, which a first network takes for skin, keep their labels.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.append(str(Path(__file__).parents[2]))

from faceqa.networks.face_mask import FaceMaskNet
from training.face_mask.prepare import REACH, SIDE

BATCH = 16
WINDOW = round(SIDE / REACH)
"""Side in px of the part of a stored face that the network sees at work."""

MIDDLE = slice((SIDE - WINDOW) // 2, (SIDE + WINDOW) // 2)


def main() -> None:
    """Write a copy of the prepared faces with refined labels; the images are linked, not copied."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=Path, default=Path("runs/face_mask/faces"))
    parser.add_argument("--weights", type=Path, default=Path("runs/face_mask/first/last.pt"))
    parser.add_argument("--out", type=Path, default=Path("runs/face_mask/refined"))
    arguments = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    net = FaceMaskNet().eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    net.load_state_dict(torch.load(arguments.weights, map_location=device, weights_only=True)["ema"])
    for table in sorted(arguments.faces.glob("*/table.npz")):
        shard = arguments.out / table.parent.name
        shard.mkdir(parents=True, exist_ok=True)
        (shard / "images.npy").unlink(missing_ok=True)
        (shard / "images.npy").symlink_to((table.parent / "images.npy").resolve())
        refine(net, table.parent, shard)
        shutil.copy(table, shard / "table.npz")  # last: a shard with a table is complete
        print(shard, flush=True)


def refine(net: FaceMaskNet, source: Path, target: Path) -> None:
    """The labels of one shard."""
    table = np.load(source / "table.npz")
    images, labels = np.load(source / "images.npy", mmap_mode="r"), np.load(source / "labels.npy")
    rows = np.flatnonzero(~table["held_out"])
    exact = np.stack([table["marked"], table["sunglasses"]], axis=1)
    for start in range(0, len(rows), BATCH):
        chosen = rows[start : start + BATCH]
        maps = answers(net, np.stack([images[row] for row in chosen]))
        for row, answer in zip(chosen, maps, strict=True):
            part = labels[row, MIDDLE, MIDDLE]
            weight = 0.5 * (part[..., 2:] > 0)  # beyond the photograph there is no answer
            new = (part[..., :2] * (1 - weight) + 255 * answer * weight).round().astype(np.uint8)
            # Under hair the outline ends where the mesh does: a network's guess must not raise it there.
            new[..., 0] = np.minimum(new[..., 0], np.maximum(part[..., 0], new[..., 1]))
            part[..., :2] = np.where(exact[row], part[..., :2], new)
    np.save(target / "labels.npy", labels)


@torch.inference_mode()
def answers(net: FaceMaskNet, images: np.ndarray) -> np.ndarray:
    """Stored faces uint8 (N, S, S, 3) -> both maps of their middle (N, W, W, 2) in [0, 1], W = `WINDOW`."""
    device = next(net.parameters()).device
    batch = torch.from_numpy(images[:, MIDDLE, MIDDLE]).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
    batch = batch.contiguous(memory_format=torch.channels_last)
    with torch.autocast(device.type, torch.bfloat16):
        maps = (net(batch).sigmoid() + net(batch.flip(3)).sigmoid().flip(3)) / 2
    return maps.float().permute(0, 2, 3, 1).cpu().numpy()


if __name__ == "__main__":
    main()
