"""A new measure is one file and one row; everything else follows. Shown on a copy of the package."""

import csv
import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import checkout
import pytest
from checkout import ROOT
from conftest import EXAMPLES

FILE = '''
"""How red a face is."""

import numpy as np

from faceqa.measures.batch import FaceBatch, Measurements, Setup


def redness(batch: FaceBatch) -> np.ndarray:
    """Red in the mean colour of each crop, in [0, 1]."""
    mean = batch.crops.mean(axis=(1, 2))
    return mean[:, 0] / mean.sum(axis=1)


def load(_setup: Setup) -> Measurements:
    """The measurement of the registry's row."""
    return {"redness": redness}
'''

ROW = """
    Measure(
        name="redness",
        module="faceqa.measures.toy",
        title=Words("Redness", "붉은 정도"),
        meaning=Words("how red the face is", "얼굴이 얼마나 붉은지"),
        highest=1.0,
        axis=(0, 1),
        decimals=3,
        shown=2,
        colour="#dc2626",
        gate=Gate(
            setting="min_redness",
            limit=0.125,
            slider=(0, 1, 0.01),
            label=Words("Redness, at least", "붉은 정도 하한"),
            reason="too_pale",
            words=ReasonWords(
                Words("too pale", "너무 창백함"),
                Words("The face is pale: {value:g}, below {limit:g}.", "얼굴이 창백합니다: {value:g}."),
                Words("Go for a run.", "달리기를 하세요."),
            ),
        ),
    ),
"""

PAGE = """
import json
import sys

import gradio as gr

import faceqa
from demo.page import build
from demo.wording import text
from faceqa import Policy, Scorer

scorer = Scorer("cpu")
page = build(scorer)
keys = [block.label.key for block in page.blocks.values() if isinstance(block, gr.Slider)]
result = scorer.assess(sys.argv[1])
pale = Policy(min_redness=1)
parameters = page.get_api_info()["named_endpoints"]["/judge"]["parameters"]
print(json.dumps({
    "place": faceqa.__file__,
    "sliders": {language: [text(key, language) for key in keys] for language in ("en", "ko")},
    "reasons": {
        language: [reason.message for reason in scorer.rejudge(result, pale, language).reasons]
        for language in ("en", "ko")
    },
    "parameters": [parameter["parameter_name"] for parameter in parameters],
}))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Runs Python with the copy in the place of the package."""
    rooms = ("faceqa", "demo")
    chosen = [path for path in checkout.files() if path.parts[0] in rooms]
    copied = checkout.copy(chosen, tmp_path_factory.mktemp("copy"))
    for folder in ("weights", "examples"):
        (copied / folder).symlink_to(ROOT / folder)
    (copied / "faceqa/measures/toy.py").write_text(FILE, encoding="utf-8")
    registry = copied / "faceqa/measures/registry.py"
    rows, end, others = registry.read_text(encoding="utf-8").partition("\n)\n\nSCORE = Measure(")
    assert end
    registry.write_text(rows + ROW.rstrip() + end + others, encoding="utf-8")
    return partial(run, copied)


def run(copied: Path, *arguments: object) -> str:
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd=copied, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_its_gate_is_an_option(python):
    told = " ".join(python("-m", "faceqa", "score", "--help").split())
    assert "--min-redness" in told and "Redness, at least" in told


def test_it_is_in_json_and_its_gate_among_the_reasons(python):
    options = ("--json", "--device", "cpu", "--min-redness", "0.9")
    known = json.loads(python("-m", "faceqa", "score", EXAMPLES / "hopper.jpg", *options))
    assert 0.2 < known["redness"] < 0.6
    assert known["policy"]["min_redness"] == 0.9
    (reason,) = known["reasons"]
    assert (known["verdict"], known["cafi"], reason["code"]) == ("reject", None, "too_pale")
    assert reason["message"] == f"The face is pale: {known['redness']:.3g}, below 0.9."
    assert "redness" in known["timings_ms"]


def test_it_is_in_every_file_of_a_run(python, tmp_path):
    from pyarrow import parquet

    options = ("--out", tmp_path, "--device", "cpu", "--min-redness", "0.9")
    python("-m", "faceqa", "curate", EXAMPLES / "hopper.jpg", *options)
    with (tmp_path / "scores.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert 0.2 < float(row["redness"]) < 0.6 and row["reasons"] == "too_pale"
    table = parquet.read_table(tmp_path / "scores.parquet")
    assert str(table.schema.field("redness").type) == "double"
    assert table.column("redness").to_pylist() == [float(row["redness"])]
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert summary["measures"]["redness"]["mean"] == float(row["redness"])
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    for words in ("Redness", "붉은 정도", "too pale", "너무 창백함"):
        assert words in report


def test_the_demo_has_a_slider_for_it(python):
    told = json.loads(python("-c", PAGE, EXAMPLES / "hopper.jpg").splitlines()[-1])
    assert not Path(told["place"]).is_relative_to(ROOT), "the copy was asked"
    assert "Redness, at least" in told["sliders"]["en"] and "붉은 정도 하한" in told["sliders"]["ko"]
    assert told["reasons"]["en"][0].startswith("The face is pale: ")
    assert told["reasons"]["ko"][0].startswith("얼굴이 창백합니다: ")
    assert {"redness", "min_redness"} <= set(told["parameters"])
