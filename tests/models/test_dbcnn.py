"""The networks against the peer implementation, the published layout and arithmetic done by hand."""

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from faceqa.engines.torch import load_strictly
from faceqa.networks.dbcnn import LITE0_CHANNELS, DbcnnNet, shown

PARITY = 1e-4


def checkpoint(path, seed=0):
    """Random weights in the layout of IQA-PyTorch's checkpoints."""
    generator = torch.Generator().manual_seed(seed)
    state, channels = {}, 3
    plan: dict[str, tuple[int, ...]] = {
        "features1": (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512),
        "features2": (48, 48, 64, 64, 64, 64, 128, 128, 128),
    }
    places = {"features1": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28), "features2": range(0, 27, 3)}
    for part, widths in plan.items():
        channels = 3
        for place, width in zip(places[part], widths, strict=True):
            spread = (2 / (9 * channels)) ** 0.5
            weight = torch.randn(width, channels, 3, 3, generator=generator) * spread
            state[f"{part}.{place}.weight"] = weight
            state[f"{part}.{place}.bias"] = torch.randn(width, generator=generator) * 0.1
            if part == "features2":
                norm = f"{part}.{place + 1}"
                state[f"{norm}.weight"] = torch.rand(width, generator=generator) + 0.5
                state[f"{norm}.bias"] = torch.randn(width, generator=generator) * 0.1
                state[f"{norm}.running_mean"] = torch.randn(width, generator=generator) * 0.1
                state[f"{norm}.running_var"] = torch.rand(width, generator=generator) + 0.5
                state[f"{norm}.num_batches_tracked"] = torch.tensor(7)
            channels = width
    state["fc.weight"] = torch.randn(1, 512 * 128, generator=generator) * 0.1
    state["fc.bias"] = torch.full((1,), 0.5)
    torch.save({"params": state}, path)
    return path


@pytest.fixture(scope="module")
def koniq_layout(tmp_path_factory):
    return checkpoint(tmp_path_factory.mktemp("weights") / "random.pth")


@pytest.fixture(scope="module")
def vgg16(koniq_layout) -> DbcnnNet:
    net = DbcnnNet("vgg16")
    load_strictly(net, torch.load(koniq_layout, weights_only=True)["params"])
    return net.eval()


@pytest.fixture(scope="module")
def pictures(hopper, collins) -> list[torch.Tensor]:
    """A square, and sides that 16 does not divide, where the two branches' grids differ."""
    square = cv2.resize(hopper, (224, 224), interpolation=cv2.INTER_AREA)
    views = (square, collins[:250, :333])
    return [torch.from_numpy(view.copy())[None].permute(0, 3, 1, 2) / 255 for view in views]


@pytest.mark.peer
def test_vgg16_gives_what_pyiqa_gives(vgg16, koniq_layout, pictures, monkeypatch):
    pytest.importorskip("pyiqa", reason="pyiqa is installed for this check only: pip install pyiqa")
    import torchvision
    from pyiqa.archs import dbcnn_arch

    vgg = torchvision.models.vgg16
    monkeypatch.setattr(torchvision.models, "vgg16", lambda weights: vgg(weights=None))
    load = dbcnn_arch.load_pretrained_network
    monkeypatch.setattr(dbcnn_arch, "load_pretrained_network", lambda *arguments, **options: None)
    theirs = dbcnn_arch.DBCNN(pretrained=False).eval()
    load(theirs, str(koniq_layout), True, "params")
    with torch.inference_mode():
        for picture in pictures:
            expected = theirs(picture)[:, 0]
            assert abs(expected.item()) > 0.1, "the comparison is not of zeros"
            torch.testing.assert_close(vgg16(picture), expected, atol=PARITY, rtol=0)


def test_the_published_layout_is_loaded_strictly(koniq_layout):
    state = torch.load(koniq_layout, weights_only=True)["params"]
    assert DbcnnNet("vgg16").state_dict().keys() == state.keys()
    lacking = {key: value for key, value in state.items() if key != "features2.13.running_var"}
    with pytest.raises(RuntimeError, match=r"features2\.13\.running_var"):
        load_strictly(DbcnnNet("vgg16"), lacking)
    with pytest.raises(RuntimeError, match="Unexpected"):
        load_strictly(DbcnnNet("vgg16"), {**state, "projection.0.weight": torch.zeros(1)})
    with pytest.raises(RuntimeError, match=r"features1\.mix\.weight"):
        load_strictly(DbcnnNet("lite0"), state)


def test_vgg16s_branch_is_torchvisions(vgg16, pictures):
    import torchvision

    theirs = nn.Sequential(*list(torchvision.models.vgg16(weights=None).features.children())[:-1])
    theirs.load_state_dict(vgg16.features1.state_dict(), strict=True)
    with torch.inference_mode():
        torch.testing.assert_close(vgg16.features1(pictures[1]), theirs(pictures[1]))


def test_bilinear_pooling_by_hand():
    net = DbcnnNet("lite0")
    generator = torch.Generator().manual_seed(3)
    authentic = torch.rand(2, LITE0_CHANNELS, 3, 4, generator=generator)
    synthetic = torch.rand(2, 128, 3, 4, generator=generator)
    weight = torch.rand(2, 1, 3, 4, generator=generator)
    with torch.inference_mode():
        scores = net.score(authentic, synthetic, weight)
        for k in range(2):
            pooled = np.zeros((LITE0_CHANNELS, 128))
            for y in range(3):
                for x in range(4):
                    share = weight[k, 0, y, x] / weight[k].sum()
                    pooled += (share * torch.outer(authentic[k, :, y, x], synthetic[k, :, y, x])).numpy()
            roots = np.sqrt(pooled.ravel() + 1e-8)
            by_hand = roots / np.linalg.norm(roots) @ net.fc.weight[0].numpy() + net.fc.bias.item()
            assert scores[k].item() == pytest.approx(by_hand, abs=1e-5)


def test_black_areas_and_what_borders_on_them_count_next_to_nothing():
    image = torch.zeros(1, 3, 384, 384)
    image[:, 1, 96:288, 96:288] = 0.5
    weight = shown(image, (24, 24))[0, 0]
    expected = torch.zeros(24, 24)
    expected[7:17, 7:17] = 1  # the square is cells 6 to 17; its rim borders on black
    torch.testing.assert_close(weight, expected, atol=2e-3, rtol=0)
    assert weight.min() > 0


def test_a_picture_without_black_counts_everywhere_alike():
    weight = shown(torch.full((1, 3, 200, 120), 0.2), (13, 8))
    assert weight.min() == weight.max()


@pytest.mark.parametrize("branch", ["lite0", "vgg16"])
@pytest.mark.parametrize("size", [(32, 32), (97, 250)])
def test_any_size_gives_one_finite_score_a_picture(branch, size):
    with torch.inference_mode():
        scores = DbcnnNet(branch).eval()(torch.rand(2, 3, *size))
    assert scores.shape == (2,)
    assert scores.isfinite().all()


def test_a_picture_all_black_has_a_score():
    with torch.inference_mode():
        assert DbcnnNet("lite0").eval()(torch.zeros(1, 3, 64, 64)).isfinite().all()


def test_other_branches_are_refused():
    with pytest.raises(ValueError, match="resnet50"):
        DbcnnNet("resnet50")  # type: ignore[arg-type]
