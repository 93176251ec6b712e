import csv
import io
import json
import math
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest
import torch
from conftest import EXAMPLES
from PIL import Image
from rich.cells import cell_len

from faceqa import Policy, cli, weights
from faceqa.cli.terminal import Screen, printable
from faceqa.curation.journal import JOURNAL
from faceqa.curation.run import Run
from faceqa.curation.table import read_csv, write_csv
from faceqa.measures.registry import MEASURES, SCORE, TAKEN
from faceqa.reading.image import NamedImage
from faceqa.verdict.policy import PRESETS, SETTINGS

CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
"""Characters that a program which reads lines does not expect."""

FRAMES = re.compile("[\u2500-\u257f]")
"""Characters that draw the frames of tables and bars."""


def faceqa(*arguments, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "faceqa", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


def cells(line: str) -> list[str]:
    """What stands in the columns of a line, as `awk -F'  +'` splits it."""
    return re.split("  +", line)


def test_the_table_of_the_examples():
    done = faceqa("score", EXAMPLES, env={**os.environ, "FORCE_COLOR": "1"})
    heading, *rows = done.stdout.splitlines()
    assert done.returncode == 0
    taken = [row.title.en for row in (SCORE, *MEASURES) if not row.on_request]
    assert cells(heading) == ["image", "verdict", *taken, "pitch", "roll", "remark"]
    assert len(rows) == len(list(EXAMPLES.glob("*.jpg")))
    assert not CONTROLS.search(done.stdout) and not FRAMES.search(done.stdout)
    assert "no_face: No face was found." in next(row for row in rows if "no_face.jpg" in row)
    assert "face 1 of 2" in next(row for row in rows if "two_faces.jpg" in row)
    assert done.stderr == "", "no progress bar, no warning where nobody watches"


def test_json_lines_and_a_bad_file_in_between(tmp_path):
    shutil.copy(EXAMPLES / "hopper.jpg", tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_text("this is no picture")
    shutil.copy(EXAMPLES / "collins.jpg", tmp_path / "ü c.jpg")
    done = faceqa("score", "--json", tmp_path)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert [Path(result["image"]).name for result in results] == ["a.jpg", "b.jpg", "ü c.jpg"]
    assert [result["verdict"] for result in results] == ["accept", "error", "accept"]
    assert results[1]["reasons"][0]["code"] == "unreadable_image"
    assert results[0]["ser_fiq"] > 0.7


def test_the_command_agrees_with_python(scorer):
    done = faceqa("score", "--json", EXAMPLES / "hopper.jpg")
    (line,) = done.stdout.splitlines()
    theirs, ours = json.loads(line), scorer.assess(EXAMPLES / "hopper.jpg").to_dict()
    assert theirs["dbcnn_unmasked"] is not None
    del theirs["timings_ms"], ours["timings_ms"]
    assert theirs == ours


@pytest.fixture
def one_scorer(scorer, monkeypatch):
    """Run the command line in this process, with the models that are loaded already."""
    monkeypatch.setattr("faceqa.scorer.Scorer", lambda *_settings: scorer)


def test_all_faces(one_scorer, capsys):
    assert cli.main(["score", "--json", "--all-faces", str(EXAMPLES / "two_faces.jpg")]) == 0
    results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [result["face_index"] for result in results] == [0, 1]


def test_a_missing_path_is_an_error_of_that_path_only(one_scorer, capsys):
    assert cli.main(["score", "--json", "no/such.jpg", str(EXAMPLES / "hopper.jpg")]) == 1
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first["error"] == "There is no file no/such.jpg. Check the path."
    assert second["ser_fiq"] > 0.7


def test_a_folder_without_images_is_a_usage_error(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("nothing to see")
    assert cli.main(["score", str(tmp_path)]) == 2
    assert "there are no images in" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [[], ["score"], ["score", "--device", "tpu", "x.jpg"], ["paint", "x.jpg"]]
)
def test_usage_errors_exit_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "usage: faceqa" in capsys.readouterr().err


def test_a_missing_device_is_a_sentence_and_exit_code_2(capsys):
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    assert cli.main(["score", "--device", "cuda", str(EXAMPLES / "hopper.jpg")]) == 2
    assert capsys.readouterr().err.startswith("faceqa: There is no CUDA device here.")


def test_research_models_that_cannot_be_had_say_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(weights, "INSIGHTFACE_ROOT", tmp_path)

    def unreachable(*_arguments, **_options):
        raise ConnectionError("the network is unreachable")

    monkeypatch.setattr("insightface.utils.storage.download_file", unreachable)
    assert cli.main(["score", "--models", "research", str(EXAMPLES / "hopper.jpg")]) == 2
    err = capsys.readouterr().err
    assert "non-commercial research only" in err
    assert "could not be downloaded" in err and "use the model set 'open'" in err


def test_the_models_are_listed(capsys):
    assert cli.main(["models"]) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert cells(heading) == ["set", "role", "file", "size", "licence", "present", "verified"]
    assert len(rows) == len(weights.manifest())
    assert len({row.index(cells(row)[4]) for row in rows}) == 1, "the licences begin in one column"
    sface = next(row for row in rows if "face_recognition_sface" in row)
    assert cells(sface) == [
        *("open", "embedding", "face_recognition_sface_2021dec_int8bq.onnx"),
        *("10.7 MB", "Apache-2.0", "yes", "yes"),
    ]


def test_a_reader_that_leaves_early_is_no_error():
    command = f"{sys.executable} -m faceqa score --json {EXAMPLES} | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=120
    )
    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr and "BrokenPipe" not in done.stderr


def test_the_version_is_printed(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("faceqa 0.")


def test_a_list_on_stdin(one_scorer, capsys, monkeypatch):
    lines = f"{EXAMPLES / 'hopper.jpg'}\n\n{EXAMPLES / 'no_face.jpg'}\r\nno/".encode() + b"such\xe9.jpg\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines), encoding="utf-8"))
    assert cli.main(["score", "--json", "-"]) == 1
    results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [Path(result["image"]).name for result in results] == [
        *("hopper.jpg", "no_face.jpg", "such\\xe9.jpg")
    ]


def test_a_zip_is_scored_like_a_folder(one_scorer, tmp_path, capsys):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(EXAMPLES / "hopper.jpg", "x/hopper.jpg")
    assert cli.main(["score", "--json", str(path), str(EXAMPLES / "hopper.jpg")]) == 0
    packed, plain = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert packed["image"] == f"{path}/x/hopper.jpg"
    assert packed["ser_fiq"] == plain["ser_fiq"] and packed["cafi"] == plain["cafi"]


MINIMUMS = {"head_size": 1, "dynamic_range": 50.5}


@pytest.mark.parametrize(
    ("arguments", "policy"),
    [
        ([], Policy()),
        (["--policy", "strict"], PRESETS["strict"]),
        (["--policy", "strict", "--max-occlusion", "0.3"], replace(PRESETS["strict"], max_occlusion=0.3)),
        (["--cafi-threshold", "42", "--ser-fiq-weight", "1"], Policy(cafi_threshold=42, ser_fiq_weight=1)),
        (["--min-face-size", "200"], Policy(min_face_size=200)),
        (["--min", "head_size=1", "--min", "dynamic_range=50.5"], Policy(minimums=MINIMUMS)),
    ],
)
def test_the_policy_comes_from_the_preset_and_the_options(scorer, monkeypatch, arguments, policy):
    given = []

    def scorer_of(device, models, policy, *_settings):
        given.append(policy)
        return scorer

    monkeypatch.setattr("faceqa.scorer.Scorer", scorer_of)
    cli.main(["score", str(EXAMPLES / "no_face.jpg"), *arguments])
    assert given == [policy]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--ser-fiq-threshold", "2"],
        ["--dbcnn-weight", "0"],
        ["--cafi-threshold", "nan"],
        ["--min", "beauty=50"],
        ["--min", "head_size=101"],
    ],
)
def test_a_policy_out_of_range_is_a_usage_error(arguments, capsys):
    assert cli.main(["score", str(EXAMPLES), *arguments]) == 2
    assert capsys.readouterr().err.startswith("faceqa: ")


@pytest.mark.parametrize("command", ["score", "curate", "rejudge"])
@pytest.mark.parametrize("columns", ["80", "120"])
def test_every_setting_of_the_policy_is_an_option(command, columns, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    lines = capsys.readouterr().out.splitlines()
    helped = " ".join(" ".join(lines).split())
    for setting in SETTINGS:
        assert f"--{setting.name.replace('_', '-')} X {setting.label.en} (" in helped
        assert f"default: {setting.default:g})" in helped
    assert max(map(len, lines)) <= int(columns)


NAMES = [
    "a.jpg",
    "[red]x[b].jpg",
    ":smile:.jpg",
    "\u1112\u1161\u11ab\u1100\u1173\u11af.jpg",  # Hangul in parts, as macOS writes names
    "한글 이름의 사진.jpg",
    "日本.jpg",
    "e\u0301.jpg",
]


@pytest.fixture
def oddly_named(tmp_path) -> Path:
    """A folder of photos without a face and with names that are no plain letters."""
    Image.new("RGB", (120, 120), "grey").save(tmp_path / "photo.png")
    photo = (tmp_path / "photo.png").read_bytes()
    (tmp_path / "photo.png").unlink()
    for name in [*map(os.fsencode, NAMES), b"\x1b[31mred\n.jpg", b"latin\xe9.jpg"]:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(photo)
    return tmp_path


def test_the_columns_stand_below_each_other_whatever_the_names(one_scorer, oddly_named, capsys):
    assert cli.main(["score", str(oddly_named)]) == 0
    heading, *lines = capsys.readouterr().out.splitlines()
    assert {cell_len(line[: line.index("reject")]) for line in lines} == {heading.index("verdict")}
    assert {cell_len(line[: line.index("no_face")]) for line in lines} == {heading.index("remark")}
    printed = [line[: line.index("reject")].strip().removeprefix(f"{oddly_named}/") for line in lines]
    assert sorted(printed) == sorted([*NAMES, "\\x1b[31mred\\n.jpg", "latin\\xe9.jpg"])


def test_long_names_are_never_cut(one_scorer, tmp_path, capsys):
    name = "한" * 80 + ".jpg"
    shutil.copy(EXAMPLES / "no_face.jpg", tmp_path / name)
    shutil.copy(EXAMPLES / "no_face.jpg", tmp_path / "b.jpg")
    assert cli.main(["score", str(tmp_path)]) == 0
    _, *lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [str(tmp_path / "b.jpg"), str(tmp_path / name)]


def test_measures_on_request_have_columns_when_they_are_asked_for(one_scorer, scorer, capsys):
    assert cli.main(["score", "--unmasked", str(EXAMPLES / "hopper.jpg")]) == 0
    heading, line = capsys.readouterr().out.splitlines()
    shown = dict(zip(cells(heading), cells(line), strict=False))
    result = scorer.assess(EXAMPLES / "hopper.jpg")
    for row in (SCORE, *TAKEN):
        assert shown[row.title.en] == row.text(getattr(result, row.name)) != "-"


def test_json_lines_stay_lines(one_scorer, tmp_path, capsys):
    """What Python or a terminal takes for the end of a line is escaped within a name."""
    names = ["a\x85.jpg", "b\u2028.jpg", "c\n.jpg", "d\x9b31m.jpg", "한\x7f.jpg"]
    for name in names:
        shutil.copy(EXAMPLES / "no_face.jpg", tmp_path / name)
    assert cli.main(["score", "--json", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [Path(json.loads(line)["image"]).name for line in lines] == names


def test_a_line_is_printed_as_soon_as_its_image_is_done(one_scorer, capsys, monkeypatch):
    count = 2 * torch.get_num_threads() + 3
    printed = []

    def counted(_files, _sampling):
        for number in range(count):
            if number == count - 1:  # all but two others may be on the way
                printed.append(capsys.readouterr().out)
            yield NamedImage(f"{number}.jpg", EXAMPLES / "no_face.jpg")

    monkeypatch.setattr("faceqa.reading.sources.named_images", counted)
    assert cli.main(["score", str(EXAMPLES)]) == 0
    assert "0.jpg" in printed[0]


def test_output_in_an_encoding_that_lacks_the_letters(tmp_path):
    shutil.copy(EXAMPLES / "no_face.jpg", tmp_path / "한.jpg")
    done = faceqa("score", tmp_path, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0 and "\\ud55c.jpg" in done.stdout


# --- a terminal -------------------------------------------------------------------------------------------


def at_a_terminal(*arguments, stdout: bool) -> tuple[str, str]:
    """What the command prints on a terminal, and on stdout where that is a pipe."""
    terminal, end = pty.openpty()
    command = [sys.executable, "-m", "faceqa", *map(str, arguments)]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    run = subprocess.Popen(
        command, stdin=end, stdout=end if stdout else subprocess.PIPE, stderr=end, env=environment
    )
    os.close(end)
    seen: list[bytes] = []

    def watch() -> None:
        try:
            while part := os.read(terminal, 65536):
                seen.append(part)
        except OSError:  # Linux ends a terminal without a writer so
            pass

    watcher = Thread(target=watch)
    watcher.start()
    piped = b"" if run.stdout is None else run.stdout.read()
    run.wait(timeout=120)
    watcher.join()
    os.close(terminal)
    return b"".join(seen).decode(), piped.decode()


def test_the_progress_bar_is_on_stderr_alone(oddly_named):
    seen, piped = at_a_terminal("score", "--json", oddly_named, stdout=False)
    results = [json.loads(line) for line in piped.splitlines()]
    assert len(results) == len(list(oddly_named.iterdir()))
    assert f"{len(results)}/{len(results)}" in seen and "images" in seen
    assert not CONTROLS.search(piped) and not FRAMES.search(piped)


def test_a_terminal_shows_colours_and_whole_names(oddly_named):
    seen, _ = at_a_terminal("score", oddly_named, stdout=True)
    assert "\x1b[33mreject" in seen
    assert all(name in seen for name in NAMES)
    assert "\x1b[31mred" not in seen and "\\x1b[31mred\\n.jpg" in seen
    assert seen.endswith("\x1b[?25h\r\x1b[1A\x1b[2K"), "the cursor is back and the bar is gone"


def test_a_table_is_plain_without_a_terminal(capsys):
    Screen().table(["name", "count"], [("한글", "1"), ("[red]x\n", "1,000")], right=[1])
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["name      count", "한글          1", "[red]x\\n  1,000"]
    assert {cell_len(line) for line in lines} == {15}


@pytest.mark.parametrize("text", ["a b", "한글", "👩\u200d👩\u200d👧", "[b]", "\\"])
def test_text_is_printed_as_it_is(text):
    assert printable(text) == text


# --- data sets --------------------------------------------------------------------------------------------


@pytest.fixture
def three(tmp_path) -> Path:
    """Two faces and a photo without one."""
    folder = tmp_path / "three"
    folder.mkdir()
    for name in ("hopper", "collins", "no_face"):
        shutil.copy(EXAMPLES / f"{name}.jpg", folder)
    return folder


@pytest.fixture
def finished(one_scorer, three, tmp_path, capsys) -> Path:
    """The folder of a run over them."""
    assert cli.main(["curate", str(three), "--out", str(tmp_path / "out")]) == 0
    capsys.readouterr()
    return tmp_path / "out"


def test_what_came_out_of_a_run(one_scorer, three, tmp_path, capsys):
    out = tmp_path / "[red]out"
    assert cli.main(["curate", str(three), "--out", str(out), "--language", "ko"]) == 0
    captured = capsys.readouterr()
    told = [cells(line.strip()) for line in captured.out.splitlines()]
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    for line in (["images", "3"], ["faces", "2"], ["accepted", "2"], ["rejected", "1"]):
        assert line in told
    assert ["1", "no_face", "no face found"] in told
    for row in (SCORE, *(row for row in MEASURES if not row.on_request)):
        quantiles = [row.text(summary["measures"][row.name][name]) for name in ("p5", "p50", "p95")]
        limit = (
            row.gate and f"at {'least' if row.higher_is_better else 'most'} {row.limit_text(row.gate.limit)}"
        )
        assert [row.title.en, *quantiles, *([limit] if limit else [])] in told
    assert captured.out.splitlines()[-1] == f"written: {out}/report.html"
    assert (out / "report.html").is_file()
    assert captured.err == "" and not CONTROLS.search(captured.out)


class Asked(Exception):
    """Instead of a run: what it was asked for."""


def ask(monkeypatch, place: str, *arguments: str):
    def instead(*given, **named):
        raise Asked(given, named)

    monkeypatch.setattr(place, instead)
    with pytest.raises(Asked) as caught:
        cli.main(list(arguments))
    return caught.value.args


def test_a_run_is_asked_for_what_the_options_say(monkeypatch, tmp_path):
    given, named = ask(
        *(monkeypatch, "faceqa.curation.run.curate", "curate", str(EXAMPLES), "--out", str(tmp_path)),
        *("--policy", "strict", "--keep-fraction", "0.5", "--export", "crop", "--language", "ko"),
        *("--all-faces", "--unmasked", "--every", "5", "--stills", "--device", "cpu"),
    )
    assert given == ([str(EXAMPLES)], str(tmp_path))
    assert named["policy"] == replace(PRESETS["strict"], cafi_threshold=0)
    assert (named["keep_top"], named["keep_fraction"]) == (None, 0.5)
    assert (named["export"], named["language"], named["device"]) == ("crop", "ko", "cpu")
    assert named["all_faces"] and named["unmasked"]
    assert (named["sampling"].every, named["sampling"].stills) == (5, True)


@pytest.mark.parametrize(
    ("arguments", "threshold"),
    [
        ([], Policy().cafi_threshold),
        (["--keep-top", "2"], 0),
        (["--keep-top", "2", "--cafi-threshold", "30"], 30),
        (["--keep-top", "2", "--policy", "strict"], 0),
    ],
)
def test_a_limit_takes_the_place_of_the_threshold(monkeypatch, tmp_path, arguments, threshold):
    curate = ("curate", str(EXAMPLES), "--out", str(tmp_path), *arguments)
    _, named = ask(monkeypatch, "faceqa.curation.run.curate", *curate)
    assert named["policy"].cafi_threshold == threshold


def test_rejudging_a_run_publishes_it_anew(finished, monkeypatch, capsys):
    table = str(finished / "scores.csv")
    assert cli.main(["rejudge", table, "--min-face-size", "200"]) == 0
    assert ["1", "face_too_small", "face too small"] in [
        cells(line.strip()) for line in capsys.readouterr().out.splitlines()
    ]
    assert json.loads((finished / "summary.json").read_text(encoding="utf-8"))["accepted"] == 1
    publish = Run.publish
    languages = []

    def watched(run, selection, export, language):
        languages.append(language)
        return publish(run, selection, export, language)

    monkeypatch.setattr(Run, "publish", watched)
    assert cli.main(["rejudge", table, "--language", "ko"]) == 0
    assert languages == ["ko"]


def test_a_table_alone_keeps_the_columns_of_others(finished, tmp_path, capsys):
    table = tmp_path / "mine.csv"
    with (finished / "scores.csv").open(encoding="utf-8", newline="") as file:
        heading, *lines = csv.reader(file)
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([[*heading, "메모"], *([*line, f"n{n}"] for n, line in enumerate(lines))])
    assert cli.main(["rejudge", str(table), "--keep-top", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"written: {table}"
    rows = list(read_csv(table))
    assert [row.verdict for row in rows].count("accept") == 1
    assert [row.others for row in rows] == [{"메모": f"n{n}"} for n in range(len(rows))]
    assert not list(tmp_path.glob("*.part"))


def test_a_table_that_ends_badly_stays_as_it_was(finished, tmp_path, capsys):
    table = tmp_path / "mine.csv"
    *rows, last = read_csv(finished / "scores.csv")
    write_csv([*rows, replace(last, scores={"ser_fiq": math.nan})], table)
    content = table.read_bytes()
    assert cli.main(["rejudge", str(table)]) == 2
    assert capsys.readouterr().err.startswith(f"faceqa: {table} cannot be read as a table of faceqa")
    assert table.read_bytes() == content
    assert not list(tmp_path.glob("*.part"))


def test_files_are_sorted_for_a_run_only(finished, tmp_path, capsys):
    table = tmp_path / "mine.csv"
    write_csv(read_csv(finished / "scores.csv"), table)
    assert cli.main(["rejudge", str(table), "--export", "copy"]) == 2
    assert capsys.readouterr().err == (
        f"faceqa: {table} is not the table of a run in its folder. Leave --export out.\n"
    )


def test_another_table_beside_a_run_is_a_table_alone(finished, capsys):
    table, own = finished / "mine.csv", (finished / "scores.csv").read_bytes()
    table.write_bytes(own)
    assert cli.main(["rejudge", str(table), "--keep-top", "1"]) == 0
    assert sum(row.verdict == "accept" for row in read_csv(table)) == 1
    assert (finished / "scores.csv").read_bytes() == own


# --- the end ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("command", "sentence"), [("score", ""), ("curate", "goes on from here")])
def test_ctrl_c(command, sentence, tmp_path, monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("faceqa.scorer.Scorer", interrupted)
    out = ["--out", str(tmp_path / "out")] if command == "curate" else []
    before = signal.getsignal(signal.SIGTERM)
    assert cli.main([command, str(EXAMPLES), *out]) == cli.INTERRUPTED == 130
    assert sentence in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_terminated_run_goes_on_where_it_stopped(one_scorer, tmp_path, capsys):
    folder, out = tmp_path / "many", tmp_path / "out"
    folder.mkdir()
    for number in range(400):
        Image.new("RGB", (120, 120), (number % 256, 0, 0)).save(folder / f"{number:03}.png")
    command = [sys.executable, "-m", "faceqa", "curate", str(folder), "--out", str(out)]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    journal, deadline = out / JOURNAL, time.monotonic() + 60
    while run.poll() is None and time.monotonic() < deadline:
        if journal.exists() and journal.read_bytes().count(b"\n") >= 3:
            break
        time.sleep(0.01)
    run.terminate()
    printed, sentence = run.communicate(timeout=60)
    assert run.returncode == cli.TERMINATED == 143, sentence
    assert (printed, sentence) == ("", "faceqa: stopped. The same command goes on from here.\n")
    assert [path.name for path in out.iterdir()] == [JOURNAL]
    begun = journal.read_bytes()
    assert begun.endswith(b"\n") and 0 < begun.count(b"\n") < 50
    assert cli.main(command[3:]) == 0
    assert journal.read_bytes().startswith(begun)
    assert sum(1 for _ in read_csv(out / "scores.csv")) == 400
