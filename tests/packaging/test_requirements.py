"""What is installed: the package needs little, the Space gets all, and one OpenCV is enough."""

import tomllib
from importlib.metadata import distributions

from checkout import ROOT
from packaging.requirements import Requirement

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def listed(lines: list[str]) -> set[str]:
    """Requirements in one spelling."""
    return {str(Requirement(line)) for line in lines if line and not line.startswith("#")}


def test_the_space_gets_what_demo_and_research_need():
    extras = PROJECT["optional-dependencies"]
    wanted = [*PROJECT["dependencies"], *extras["demo"], *extras["gpu"], *extras["research"]]
    wanted = [line for line in wanted if line != "faceqa[gpu]"]
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert listed(lines) == listed(wanted)


def test_library_and_command_line_need_neither_gradio_nor_insightface():
    names = {Requirement(line).name for line in PROJECT["dependencies"]}
    assert not names & {"gradio", "plotly", "insightface", "huggingface-hub", "tqdm"}


def test_everything_is_bounded_that_a_new_release_could_break():
    for line in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["demo"]):
        requirement = Requirement(line)
        operators = {one.operator for one in requirement.specifier}
        assert ">=" in operators, line
        assert "<" in operators or requirement.name == "pyarrow", line


def test_one_opencv_is_installed():
    found = [one.metadata["Name"] for one in distributions() if one.metadata["Name"].startswith("opencv-")]
    assert found == ["opencv-python"]
