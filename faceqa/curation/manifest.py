"""What made a data set: the part of `summary.json` that the data set's card can quote."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from faceqa import weights
from faceqa.curation.settings import Selection, Settings


def manifest(settings: Settings, selection: Selection, counts: dict[str, int]) -> dict[str, Any]:
    """Versions, weights, engine, policy, sources and counts of a run.

    Args:
        settings: Of the run.
        selection: What its verdicts go by.
        counts: Of images and faces, by name.

    Returns:
        Ready for JSON. `weights` holds name, role, licence and SHA-256 of each network; the list is empty
        where this faceqa has other networks than the run had, and only their `fingerprint` is known.
        `engine` is empty where the run does not say what computed its numbers.
    """
    told = settings.told()
    return {
        "faceqa": settings.version,
        "packages": settings.packages,
        "models": settings.models,
        "iqa": settings.iqa,
        "fingerprint": settings.weights,
        "weights": _networks(settings),
        "engine": settings.engine,
        "policy": asdict(selection.policy),
        "unique": selection.unique,
        "sources": told["paths"],
        "sampling": told["sampling"],
        "counts": counts,
    }


def _networks(settings: Settings) -> list[dict[str, str]]:
    if settings.weights != weights.fingerprint(settings.models):
        return []
    return [
        {"role": one.role, "name": one.name, "licence": one.licence, "sha256": one.sha256}
        for one in weights.manifest()
        if one.models in (settings.models, "both")
        and one.role != "calibration"
        and not (one.role in ("iqa", "distortions") and settings.iqa)
    ]
