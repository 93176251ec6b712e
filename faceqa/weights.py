"""Model name -> verified file. The manifest's only reader.

`weights/manifest.toml` lists every weight file with its SHA-256 and the places to take it from. Nothing is
handed out before its hash was checked, and nothing is downloaded unless the caller asked for a file of the
`research` set.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from faceqa.errors import WeightsError

Models = Literal["open", "research"]
Role = Literal[
    "detection", "embedding", "face_mask", "head_pose", "apertures", "iqa", "distortions", "calibration"
]

Form = Literal["source", "openvino", "openvino-bin"]
"""The weights as they were trained or published, or made ready for CPUs: the layers, and the values."""

MODEL_SETS: tuple[Models, ...] = ("open", "research")

_PACKAGE = Path(__file__).parent
# A checkout keeps the weights beside the package; an installed wheel carries them inside it.
WEIGHTS_DIR = next((d for d in (_PACKAGE / "_weights", _PACKAGE.parent / "weights") if d.is_dir()), _PACKAGE)

# Where insightface unpacks its model packs.
INSIGHTFACE_ROOT = Path(os.environ.get("INSIGHTFACE_HOME", "~/.insightface")).expanduser()


@dataclass(frozen=True, slots=True)
class Source:
    """One place to take a file from.

    Attributes:
        kind: "file" (in weights/), "hub" or "insightface".
        where: Hub repository or model pack; empty for "file".
        path: The file inside it.
        revision: The pinned commit of a Hub repository.
    """

    kind: Literal["file", "hub", "insightface"]
    where: str
    path: str
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One row of the manifest; `models` is a model set or "both", `bytes` is the file's size."""

    name: str
    role: Role
    models: Models | Literal["both"]
    file: str
    sha256: str
    bytes: int
    licence: str
    origin: str
    sources: tuple[Source, ...]
    form: Form = "source"


@dataclass(frozen=True, slots=True)
class WeightStatus:
    """What is known of a weight file on this machine; `path` is None where it is not present."""

    weight: WeightFile
    path: Path | None
    verified: bool


@cache
def manifest(path: Path = WEIGHTS_DIR / "manifest.toml") -> tuple[WeightFile, ...]:
    """Read the table of weight files.

    Raises:
        WeightsError: `bad_manifest`, when the file is missing or a row is incomplete.
    """
    try:
        rows = tomllib.loads(path.read_text(encoding="utf-8"))["weights"]
        return tuple(WeightFile(**{**row, "sources": tuple(map(_source, row["sources"]))}) for row in rows)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            "bad_manifest", f"The table of weight files, {path}, cannot be read ({error}). Reinstall faceqa."
        ) from error


def find(role: Role, models: Models, form: Form = "source") -> WeightFile:
    """The file that fills `role` in the model set `models`, in one of its forms.

    Raises:
        WeightsError: `unknown_weights`, when the set has none.
    """
    for weight in manifest():
        if weight.role == role and weight.form == form and weight.models in (models, "both"):
            return weight
    raise WeightsError("unknown_weights", f"The model set '{models}' has no weights for the role '{role}'.")


def fingerprint(models: Models) -> str:
    """Twelve hexadecimal digits that change with any network of a model set."""
    digest = hashlib.sha256()
    for weight in manifest():
        if weight.models in (models, "both") and weight.role != "calibration":
            digest.update(bytes.fromhex(weight.sha256))
    return digest.hexdigest()[:12]


def fetch(weight: WeightFile) -> Path:
    """The verified file on this machine; a file of the `research` set is downloaded when it is missing.

    Raises:
        WeightsError: with what to do about it: `missing_package`, `missing_file`, `wrong_hash` or
            `download_failed`.
    """
    path = locate(weight)
    if path is None and weight.models == "research":
        path = _download(weight)
    if path is None:
        raise _missing(weight)
    if not _matches(path, weight.sha256):
        raise WeightsError(
            "wrong_hash",
            f"{path} is not the file that faceqa was tested with ({weight.name}: its SHA-256 should begin "
            f"with {weight.sha256[:12]}). Delete it and install or download it again.",
        )
    return path


def locate(weight: WeightFile) -> Path | None:
    """The file as it lies on this machine, not verified, or None. Never downloads."""
    candidates = (_local_path(source) for source in weight.sources)
    return next((path for path in candidates if path is not None and path.is_file()), None)


def status() -> list[WeightStatus]:
    """Every weight file of the manifest, with whether it is present and whether its hash is right."""
    found = [(weight, locate(weight)) for weight in manifest()]
    return [
        WeightStatus(weight, path, verified=path is not None and _matches(path, weight.sha256))
        for weight, path in found
    ]


def _source(row: dict[str, str]) -> Source:
    kinds = {"hub", "insightface"} & row.keys()
    if not kinds:
        return Source("file", "", row["file"])
    (kind,) = kinds
    if kind == "hub" and "revision" not in row:
        raise ValueError(f"the Hub source {row['hub']} has no pinned revision")
    return Source(kind, row[kind], row["path"], row.get("revision"))  # type: ignore[arg-type]


def _local_path(source: Source) -> Path | None:
    if source.kind == "file":
        return WEIGHTS_DIR / source.path
    if source.kind == "insightface":
        return INSIGHTFACE_ROOT / "models" / source.where / source.path
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    cached = try_to_load_from_cache(source.where, source.path, revision=source.revision)
    return Path(cached) if isinstance(cached, str) else None


def _matches(path: Path, sha256: str) -> bool:
    state = path.stat()
    return _digest(path, state.st_size, state.st_mtime_ns) == sha256


@cache
def _digest(path: Path, _size: int, _modified_ns: int) -> str:
    # Size and time of change are part of the key, so that a replaced file is hashed again.
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _missing(weight: WeightFile) -> WeightsError:
    return WeightsError(
        "missing_file",
        f"{WEIGHTS_DIR / weight.file} is missing. Restore it from the repository, or make it again "
        f"with the recipe in training/.",
    )


def _download(weight: WeightFile) -> Path | None:
    """Try each remote source; both downloaders show a progress bar on stderr and replace files atomically."""
    downloaders = {"hub": _download_from_hub, "insightface": _download_pack}
    failure: Exception | None = None
    for source in weight.sources:
        if source.kind not in downloaders:
            continue
        try:
            return downloaders[source.kind](source, weight)
        except WeightsError:
            raise
        except ImportError as error:
            raise WeightsError(
                "missing_package",
                f"The research models need packages that are not installed ({error}). "
                "Run: pip install 'faceqa[research]'",
            ) from error
        except Exception as error:  # each downloader fails in the ways of its own HTTP library
            failure = error
    if failure is None:
        return None
    raise WeightsError(
        "download_failed",
        f"{weight.name} could not be downloaded ({type(failure).__name__}). Check the connection and try "
        f"again, or use the model set 'open', which needs none.",
    ) from failure


def _download_from_hub(source: Source, _weight: WeightFile) -> Path:
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(source.where, source.path, revision=source.revision))


def _download_pack(source: Source, weight: WeightFile) -> Path:
    """Let insightface download and unpack to a scratch folder; keep a pack that holds the expected files."""
    from insightface.utils.storage import download

    packs = INSIGHTFACE_ROOT / "models"
    packs.mkdir(parents=True, exist_ok=True)
    # insightface prints to stdout, which belongs to our results.
    with tempfile.TemporaryDirectory(dir=packs) as scratch, contextlib.redirect_stdout(sys.stderr):
        pack = Path(download("models", source.where, root=scratch))
        known = {s.path: w for w in manifest() for s in w.sources if s.where == source.where}
        known[source.path] = weight
        for path, member in known.items():
            if not (pack / path).is_file() or not _matches(pack / path, member.sha256):
                raise WeightsError(
                    "wrong_hash",
                    f"The download of {source.where} does not hold the {path} that faceqa knows. Nothing was "
                    f"kept; try again later.",
                )
        # insightface takes a folder that exists for a complete pack, so it appears whole or not at all.
        if not (packs / source.where).exists():
            os.replace(pack, packs / source.where)
        else:
            for path in known:
                os.replace(pack / path, packs / source.where / path)
    return packs / source.where / source.path
