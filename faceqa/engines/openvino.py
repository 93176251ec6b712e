"""The networks on CPUs, x86 and ARM, by OpenVINO: neither torch nor what stands on it is imported."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from threading import Lock

import numpy as np
import openvino

from faceqa import weights
from faceqa.engines.base import (
    CPU,
    MEASURING,
    OUTPUTS,
    STANDARD_SIZES,
    EngineInfo,
    Network,
    Precision,
    available_cores,
    check_crops,
)
from faceqa.errors import DeviceError

PRECISIONS = {"f32": openvino.Type.f32, "bf16": openvino.Type.bf16}

Size = tuple[int, int]
"""Height and width in px."""

# The first array that OpenVINO takes must not come from two threads at once: one would wait for a flag with
# Python's lock in its hand, and the one that has the flag for that lock, for ever.
openvino.Tensor(np.zeros(1, np.uint8))


class OpenVinoEngine:
    """Runs the networks of the open model set on the cores of this process. See `engines.base.Engine`.

    Every core computes a picture by itself, so that a number does not depend on how many cores there are.
    """

    def __init__(self, networks: Iterable[Network] = MEASURING, precision: Precision = "auto"):
        """Load networks.

        Args:
            networks: Which.
            precision: What layers may be rounded to.

        Raises:
            DeviceError: when the processor does not multiply in the precision that was asked for.
            WeightsError: when weights are missing or wrong.
        """
        self._core = openvino.Core()
        self._precision = _supported(self._core, precision)
        self._models = {name: _read(self._core, name) for name in networks}
        self.info = EngineInfo("openvino", CPU, self._precision)
        self._compiled: dict[tuple[Network, Size | None], _Compiled] = {}
        self._compiling = Lock()
        for name in networks:
            self._of_size(name, STANDARD_SIZES[name])

    def run(self, network: Network, images: np.ndarray) -> dict[str, np.ndarray]:
        """See `engines.base.Engine`."""
        check_crops(images)
        height, width = images.shape[1:3]
        compiled = self._of_size(network, (height, width))
        # Of no picture the outputs have the shapes of a black one's.
        results = compiled.run(images if len(images) else np.zeros((1, height, width, 3), np.uint8))
        columns = [np.concatenate(column)[: len(images)] for column in zip(*results, strict=True)]
        return dict(zip(OUTPUTS[network], columns, strict=True))

    def _of_size(self, network: Network, size: Size) -> _Compiled:
        """The network for pictures of its standard size, or for those of any other."""
        key = network, (size if size == STANDARD_SIZES[network] else None)
        with self._compiling:
            if key not in self._compiled:
                model = self._models[network].clone()
                if key[1] is not None:
                    model.reshape([1, *size, 3])
                self._compiled[key] = _Compiled(self._core, model, self._precision)
            return self._compiled[key]


class _Compiled:
    """A network for one picture at a time, as many times at once as there are cores."""

    def __init__(self, core: openvino.Core, model: openvino.Model, precision: str):
        self._streams = available_cores()
        self._network = core.compile_model(
            model,
            CPU,
            {
                "INFERENCE_PRECISION_HINT": PRECISIONS[precision],
                "NUM_STREAMS": self._streams,
                "INFERENCE_NUM_THREADS": self._streams,
                "ENABLE_CPU_PINNING": False,  # other processes would be pinned to the same cores
            },
        )
        self._idle: deque[openvino.InferRequest] = deque()

    def run(self, pictures: Iterable[np.ndarray]) -> list[tuple[np.ndarray, ...]]:
        """The outputs of each picture, in order."""
        results: list[tuple[np.ndarray, ...]] = []
        started: deque[openvino.InferRequest] = deque()
        for picture in pictures:
            if len(started) == self._streams:
                results.append(self._finish(started.popleft()))
            request = self._take()
            request.start_async([np.ascontiguousarray(picture[None])], share_inputs=True)
            started.append(request)
        return results + [self._finish(request) for request in started]

    def _take(self) -> openvino.InferRequest:
        try:
            return self._idle.pop()
        except IndexError:
            return self._network.create_infer_request()

    def _finish(self, request: openvino.InferRequest) -> tuple[np.ndarray, ...]:
        request.wait()
        outputs = tuple(np.array(tensor.data) for tensor in request.output_tensors)
        self._idle.append(request)
        return outputs


def _read(core: openvino.Core, network: Network) -> openvino.Model:
    layers, values = (
        weights.fetch(weights.find(network, "open", form)) for form in ("openvino", "openvino-bin")
    )
    return core.read_model(layers, values)


def _supported(core: openvino.Core, precision: Precision) -> str:
    """What layers are rounded to: bfloat16 where the processor multiplies it, unless f32 is asked for."""
    multiplies_bfloat16 = "BF16" in core.get_property(CPU, "OPTIMIZATION_CAPABILITIES")
    if precision == "bf16" and not multiplies_bfloat16:
        raise DeviceError(
            "no_precision", "This processor does not multiply in bfloat16. Use the precision 'auto' or 'f32'."
        )
    return "bf16" if multiplies_bfloat16 and precision != "f32" else "f32"
