"""Every error that faceqa raises on purpose. All of them are a `FaceqaError`."""


class FaceqaError(Exception):
    """Something the caller can act on.

    Attributes:
        code: A stable identifier in snake_case, the same in Python, in JSON and in the HTTP API.
        message: One or two sentences for a person: what is wrong and what to do about it.
    """

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code
        self.message = message


class ImageError(FaceqaError):
    """The input cannot be turned into an image that faceqa can assess.

    `code` is one of `unreadable_image`, `image_too_small` and `image_too_large`.
    """


class RemoteError(FaceqaError):
    """An address cannot be read or written to.

    `code` is one of `unreachable`, `not_found`, `not_allowed`, `refused`, `missing_package` and
    `unknown_protocol`.
    """


class TableError(FaceqaError):
    """A file is no table of faceqa's. `code` is `bad_table`."""


class CurationError(FaceqaError):
    """A data set cannot be filtered as asked.

    `code` is one of `bad_output`, `other_run`, `other_engine`, `unknown_runner`, `other_runner`,
    `not_with_ray`, `missing_package`, `no_cluster`, `runner_failed`, `no_embeddings`, `no_levelling` and
    `bad_levelling`.
    """


class EvaluationError(FaceqaError):
    """Measures cannot be evaluated as asked.

    `code` is one of `bad_pairs`, `too_few_pairs`, `bad_embeddings`, `no_threshold`, `bad_output` and
    `other_evaluation`.
    """


class WeightsError(FaceqaError):
    """A weight file is missing, cannot be fetched, or is not the file that the manifest names.

    `code` is one of `unknown_weights`, `missing_package`, `missing_file`, `wrong_hash`,
    `download_failed`, `unsupported_file` and `bad_manifest`.
    """


class DeviceError(FaceqaError):
    """The device, engine or precision that was asked for cannot serve.

    `code` is one of `no_device`, `no_engine` and `no_precision`.
    """


class NoFaceError(FaceqaError):
    """The image does not show the face that was asked for. `code` is `no_such_face`."""


class PolicyError(FaceqaError):
    """A setting of the verdict is out of its range. `code` is `bad_policy`."""


class MeasureError(FaceqaError):
    """A measure is out of its range. `code` is `bad_measure`."""
