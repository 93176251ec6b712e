import math

import numpy as np
import pytest
import torch

from faceqa.engines.torch import SerFiq
from faceqa.networks.ser_fiq import quality


def by_hand(embeddings: np.ndarray, alpha: float = 130.0, r: float = 0.88) -> float:
    """Terhoerst et al. (2020), as their paper and code write it, over (T, K) stochastic embeddings."""
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    first, second = np.triu_indices(len(unit), k=1)
    mean_distance = np.linalg.norm(unit[first] - unit[second], axis=1).mean()
    return 1 / (1 + math.exp(-alpha * (2 / (1 + math.exp(mean_distance)) - r)))


def sampled_by_hand(ser_fiq: SerFiq, crops: np.ndarray, passes: int, dropout: float) -> np.ndarray:
    """100 % by the book in float64: mask, rescale, last layer, all pairs."""
    random = np.random.default_rng(3)
    with torch.inference_mode():
        tensor = torch.from_numpy(crops.transpose(0, 3, 1, 2).astype(np.float32))
        features = ser_fiq.network.features(tensor).double().numpy()
        layer, bias = (t.double().numpy() for t in ser_fiq.network.last_layer())
    scores = []
    for x in features:
        keep = random.random((passes, len(x)), dtype=np.float32) >= dropout
        scores.append(by_hand(np.where(keep, x / (1 - dropout), 0) @ layer.T + bias))
    return np.array(scores)


@pytest.mark.parametrize(
    ("distance", "expected"),
    # s = 2 / (1 + e^d) by a pocket calculator, then the logistic.
    [(0.0, 0.9999998), (0.2411, 0.50099), (0.25, 0.36219), (1.0, 0.0)],
)
def test_the_published_logistic(distance, expected):
    assert quality(torch.tensor([distance]))[0] == pytest.approx(expected, abs=1e-4)


def test_the_logistic_is_one_half_where_the_similarity_is_r():
    assert quality(torch.tensor([math.log(2 / 0.88 - 1)], dtype=torch.float64))[0] == pytest.approx(
        0.5, abs=1e-9
    )


@pytest.mark.parametrize("dropout", [0.4, 0.5])
def test_the_closed_form_is_the_limit_of_the_published_one(ser_fiq, aligned_faces, dropout):
    faces = aligned_faces[[0, 2, 3]]
    closed = SerFiq(ser_fiq.network, ser_fiq.device, dropout).score(faces)
    sampled = sampled_by_hand(ser_fiq, faces, passes=500, dropout=dropout)
    assert np.ptp(closed) > 0.1, "the faces differ"
    np.testing.assert_allclose(closed, sampled, atol=0.03)


def test_the_sampled_form_is_the_published_one(ser_fiq, aligned_faces):
    faces = aligned_faces[[0, 3]]
    ours = ser_fiq.score_sampled(faces, passes=500, seed=1)
    np.testing.assert_allclose(ours, sampled_by_hand(ser_fiq, faces, passes=500, dropout=0.5), atol=0.03)


def test_the_sampled_form_is_seeded(ser_fiq, aligned_faces):
    first, again, other = (ser_fiq.score_sampled(aligned_faces[:2], seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


def test_the_closed_form_is_bit_for_bit_the_same_twice(ser_fiq, aligned_faces):
    np.testing.assert_array_equal(ser_fiq.score(aligned_faces), ser_fiq.score(aligned_faces))


def test_a_face_scores_the_same_alone_and_in_any_batch(ser_fiq, aligned_faces):
    alone = np.concatenate([ser_fiq.score(crop[None]) for crop in aligned_faces])
    np.testing.assert_allclose(ser_fiq.score(aligned_faces), alone, atol=1e-4)
    np.testing.assert_allclose(ser_fiq.score(aligned_faces[::-1])[::-1], alone, atol=1e-4)


def test_more_dropout_never_raises_a_score(ser_fiq, aligned_faces):
    rates = [0.1, 0.3, 0.5, 0.7, 0.9]
    scores = [SerFiq(ser_fiq.network, ser_fiq.device, rate).score(aligned_faces) for rate in rates]
    assert (np.diff(scores, axis=0) <= 0).all()
    assert (scores[0] > scores[-1]).all()
    assert np.min(scores) >= 0 and np.max(scores) <= 1


def test_the_scores_say_which_face_is_recognisable(ser_fiq, aligned_faces):
    sharp, _, blurred, masked = ser_fiq.score(aligned_faces[:4])
    assert sharp > 0.7
    assert blurred < sharp and masked < sharp


def test_embeddings_tell_people_apart(ser_fiq, aligned_faces):
    """Hopper and her mirror image are closer to each other than to Collins."""
    unit = ser_fiq.embed(aligned_faces)
    unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    hopper, collins, hopper_mirrored = unit[0], unit[1], unit[4]
    assert hopper @ hopper_mirrored > 0.9 > hopper @ collins


@pytest.mark.parametrize("dropout", [0.0, 1.0, -0.1, float("nan")])
def test_a_dropout_that_is_no_rate_is_refused(ser_fiq, dropout):
    with pytest.raises(ValueError, match="between 0 and 1"):
        SerFiq(ser_fiq.network, ser_fiq.device, dropout)


def test_one_pass_has_no_distance(ser_fiq, aligned_faces):
    with pytest.raises(ValueError, match="at least 2"):
        ser_fiq.score_sampled(aligned_faces, passes=1)
