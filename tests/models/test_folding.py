import copy
from functools import partial

import pytest
import torch
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoderBlock
from torch import nn

from faceqa.networks.dbcnn import DbcnnNet
from faceqa.networks.face_mask import FaceMaskNet
from faceqa.networks.folding import (
    MOST_LAYOUTS,
    EvenPadding,
    FusedConvolution,
    fold_padding,
    folded,
    fuse_activations,
)
from faceqa.networks.sface import SFace


def used(network: nn.Module, *shape: int, scale: float = 1) -> tuple[nn.Module, torch.Tensor]:
    """The network with batch norms that do something, and an input for it."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network.eval(), scale * torch.rand(shape)


@pytest.mark.parametrize(
    ("network", "shape", "scale", "left"),
    [
        (SFace, (1, 3, 112, 112), 255, 1),
        (FaceMaskNet, (1, 3, 64, 64), 1, 0),
        (DbcnnNet, (1, 3, 96, 96), 1, 0),
    ],
)
@torch.inference_mode()
def test_a_folded_network_gives_the_same(network, shape, scale, left):
    plain, image = used(network(), *shape, scale=scale)
    expected = plain(image)
    fast = folded(copy.deepcopy(plain))
    assert torch.allclose(fast(image), expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
    norms = [module for module in fast.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == left


@pytest.mark.parametrize("sides", [(96, 64), (97, 64), (64, 97), (75, 75)])
@torch.inference_mode()
def test_folded_padding_gives_the_same(sides):
    plain, image = used(DbcnnNet(), 2, 3, *sides)
    expected = plain(image)
    fast = copy.deepcopy(plain)
    fold_padding(fast)
    assert torch.allclose(fast(image), expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
    strides = [module.odd.stride for module in fast.modules() if isinstance(module, EvenPadding)]
    assert strides == [(2, 2)] * 5


@torch.inference_mode()
def test_folded_upsampling_gives_the_same():
    plain = FaceMaskNet()
    _, image = used(plain, 2, 3, 64, 96)
    expected = folded(plain)(image)
    fast = copy.deepcopy(plain)
    fast.fold_upsampling()
    assert torch.allclose(fast(image), expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
    assert not any(isinstance(module, UnetDecoderBlock) for module in fast.modules())


@pytest.mark.parametrize(
    ("network", "left"), [(FaceMaskNet, 0), (DbcnnNet, 5), (partial(DbcnnNet, "vgg16"), 0)]
)
@torch.inference_mode()
def test_fused_activations_give_the_same(network, left):
    plain, image = used(network(), 2, 3, 64, 96)
    expected = folded(plain)(image)
    fast = copy.deepcopy(plain)
    fold_padding(fast)
    fuse_activations(fast)
    floor = 1e-4 * float(expected.abs().max())
    for _ in range(2):
        assert torch.allclose(fast(image), expected, rtol=1e-3, atol=floor)
    odd = image[:1, :, :63, :65] if network is not FaceMaskNet else image[:1]
    assert torch.allclose(fast(odd), plain(odd), rtol=1e-3, atol=floor)
    assert any(isinstance(module, FusedConvolution) for module in fast.modules())
    kept = [module for module in fast.modules() if isinstance(module, nn.Conv2d)]
    assert len(kept) == left  # for maps with odd sides


@torch.inference_mode()
def test_a_fused_convolution_keeps_few_layouts():
    plain = nn.Conv2d(3, 8, 3, padding=1)
    fast = FusedConvolution(plain, nn.ReLU())
    for side in range(16, 16 + 3 * MOST_LAYOUTS):
        image = torch.rand(1, 3, side, side)
        assert torch.allclose(fast(image), plain(image).relu(), atol=1e-5)
        assert 0 < len(fast._packed) <= MOST_LAYOUTS
