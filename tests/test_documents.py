"""What the documents say is there: links, make's targets, params.yaml's keys, the floors."""

import re
from pathlib import Path

import pytest
import yaml

from partreid.experiments import overrides
from partreid.methods import METHODS
from test_floors import FLOORS

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "data/README.md", *sorted(ROOT.glob("docs/*.md"))]


def anchors(document):
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def commands(document):
    found = re.findall(r"```\n(.*?)```|`((?:dvc|make|python) [^`]*)`", document.read_text(), re.DOTALL)
    return "\n".join(block or inline for block, inline in found)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_name_what_there_is(document, values):
    text = commands(document)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)) <= targets
    for script in re.findall(r"python ((?:stages|benchmarks)/\w+\.py)", text):
        assert (ROOT / script).is_file(), script
    for file, stage in re.findall(r"((?:data|stages)/dvc\.yaml):([\w-]+)", text):
        assert f"\n  {stage}:\n" in re.sub(" +#.*", "", (ROOT / file).read_text()), stage
    for path in re.findall(r"-S '?([a-z_][\w.]*)=", text):
        overrides.at(values, path, document.name)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_code_is_named_by_its_place(document):
    text = document.read_text()
    for path in re.findall(r"`((?:src|stages|tests|benchmarks)/[\w/.]+)`", text):
        assert (ROOT / path).exists(), path
    for module in re.findall(r"partreid\.((?:\w+\.)*\w+)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        place = (ROOT / "src/partreid").joinpath(*module.split("."))
        holders = [file for file in (place.parent.with_suffix(".py"), place.parent / "__init__.py") if file.is_file()]
        there = place.is_dir() or place.with_suffix(".py").is_file()
        assert there or any(place.name in file.read_text() for file in holders), module


def test_the_floors_are_those_that_the_imports_are_held_to():
    shown = re.search(r"## The floors.*?```\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)[1]
    told = [line.partition("|")[0].split() for line in shown.strip().split("\n")]
    held = [[room for room in floor.split() if room != "__init__"] for floor in FLOORS.strip().split("\n")]
    assert [sorted(each) for each in told] == [sorted(each) for each in held if each]


def test_every_method_is_in_the_first_page_and_is_cited():
    page = (ROOT / "README.md").read_text()
    assert all(f"| `{method}` |" in page for method in METHODS)
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())["references"]
    assert len(cited) == len(METHODS)
