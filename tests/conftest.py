"""What most tests need: the examples, each model loaded once, and a served demo."""

import socket
from collections.abc import Iterator
from pathlib import Path

import cv2
import hypothesis
import numpy as np
import openvino
import pytest
from s3 import Line, s3_server

from faceqa.engines.torch import SerFiq, load_ser_fiq
from faceqa.faces.alignment import align
from faceqa.faces.detection import Detector, load_detector
from faceqa.reading import image, remote

needs_bfloat16 = pytest.mark.skipif(
    "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"),
    reason="this processor does not multiply bfloat16",
)

EXAMPLES = Path(__file__).parent.parent / "examples"

# No test asserts a time: a busy machine takes longer than Hypothesis's deadline of 200 ms.
hypothesis.settings.register_profile("faceqa", deadline=None)
hypothesis.settings.load_profile("faceqa")


@pytest.fixture(scope="session")
def hopper() -> np.ndarray:
    return image.load(EXAMPLES / "hopper.jpg")


@pytest.fixture(scope="session")
def collins() -> np.ndarray:
    return image.load(EXAMPLES / "collins.jpg")


@pytest.fixture(scope="session")
def detector() -> Detector:
    return load_detector()


@pytest.fixture(scope="session")
def ser_fiq() -> SerFiq:
    return load_ser_fiq()


@pytest.fixture(scope="session")
def scorer():
    from faceqa.scorer import Scorer

    return Scorer(device="cpu")


@pytest.fixture(scope="session")
def aligned_faces(detector: Detector, hopper: np.ndarray, collins: np.ndarray) -> np.ndarray:
    """Real faces of very different quality: uint8 (8, 112, 112, 3)."""
    blurred = cv2.GaussianBlur(hopper, (0, 0), 6)
    masked = image.load(EXAMPLES / "hopper_mask.jpg")
    crops = [
        align(photo, detector.refine(photo, detector.detect(photo)[0]))
        for photo in (hopper, collins, blurred, masked)
    ]
    return np.stack([*crops, *(np.ascontiguousarray(crop[:, ::-1]) for crop in crops)])


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of an S3 server, which `s3://` then leads to."""
    pytest.importorskip("moto", reason="moto is not installed")
    pytest.importorskip("s3fs", reason="the extra 'remote' is not installed")
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
    with s3_server() as address, pytest.MonkeyPatch.context() as patch:
        for name, value in {**keys, "AWS_ENDPOINT_URL": address}.items():
            patch.setenv(name, value)
        yield address


@pytest.fixture
def line(s3, monkeypatch) -> Iterator[Line]:
    """To the S3 server, which `s3://` then goes through; nothing waits long between two tries."""
    import s3fs

    monkeypatch.setattr(remote, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)  # what is tested are our own
    made = Line(s3)
    monkeypatch.setenv("AWS_ENDPOINT_URL", made.address)
    s3fs.S3FileSystem.clear_instance_cache()
    yield made
    made.close()


@pytest.fixture(scope="session")
def demo_address(scorer, tmp_path_factory) -> Iterator[str]:
    """A served demo, at the port that the environment names; it may talk to this machine only."""
    from demo.page import build, serve

    spoken_to = set()
    connect = socket.socket.connect

    def recorded(self, place):
        spoken_to.add(place[0] if isinstance(place, tuple) else "a file of this machine")
        return connect(self, place)

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_SERVER_PORT", str(port))
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        patch.setattr(socket.socket, "connect", recorded)
        demo = build(scorer)
        serve(demo, prevent_thread_lock=True, quiet=True)
        yield f"http://127.0.0.1:{port}/"
        demo.close()
    assert spoken_to <= {"127.0.0.1", "localhost", "::1", "a file of this machine"}
