"""The notebooks' policy: what nbval needs in order to compare anything, and what a reader may expect."""

import re
import tomllib
from pathlib import Path

import nbformat
import pytest
from quoted import NOTEBOOKS, name_of

ROOT = Path(__file__).parent.parent
LESSONS = [path for path in NOTEBOOKS if re.fullmatch(r"\d\d_\w+", path.stem) and path.parent.name == "notebooks"]
CELLS = tomllib.loads((ROOT / "tests" / "cells.toml").read_text(encoding="utf-8"))
WIDEST_LINE = 72  # characters of half a laptop's screen
MOST_LINES, MOST_LINES_WITH_A_REASON = 6, 10
BIGGEST_TOLERANCE = {"atol": 0.05, "rtol": 0.05}
MEASURED = re.compile(r"^\*Measured: about \d+\.\d minutes and \d\.\d GB of memory on 2 CPU cores\.\*$", re.M)

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def prose(path):
    return "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")


def tags(path):
    return [tag for cell in read(path).cells for tag in cell.metadata.get("tags", [])]


@each_notebook
def test_numbered_headings_count_on(path):
    numbers = [int(number) for number in re.findall(r"^#+ (\d+)\. ", prose(path), re.M)]
    assert numbers == list(range(1, len(numbers) + 1)), "a heading was lost, doubled or moved"


def test_there_are_lessons_in_an_unbroken_order():
    assert len(LESSONS) >= 5
    first = sorted(int(path.stem[:2]) for path in LESSONS)
    assert first[:5] == [0, 1, 2, 3, 4]
    assert len(set(first)) == len(first)


@each_notebook
def test_is_valid_and_has_the_plain_python_kernel(path):
    notebook = read(path)
    nbformat.validate(notebook)
    kernel = notebook.metadata.kernelspec
    assert (kernel.name, kernel.display_name) == ("python3", "Python 3 (ipykernel)"), "JupyterLab would change it"
    assert "widgets" not in notebook.metadata, "GitHub may call it an invalid notebook"
    assert path.stat().st_size <= 1_500_000


@each_notebook
def test_is_stored_as_executed_from_top_to_bottom(path):
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error", cell.source
            assert output.get("name") != "stderr", cell.source


@each_notebook
def test_shows_something_to_compare(path):
    outputs = [output for cell in code_cells(path) for output in cell.outputs]
    assert len(outputs) >= len(code_cells(path)) / 2


@each_notebook
def test_code_fits_half_a_screen(path):
    wide = [cell.source for cell in code_cells(path) if max(map(len, cell.source.splitlines())) > WIDEST_LINE]
    allowed = CELLS["wide"].get(name_of(path), 0)
    assert len(wide) <= allowed, f"lines of more than {WIDEST_LINE} characters, {allowed} cells may have some: {wide}"


@each_notebook
def test_code_cells_are_short(path):
    reasons = CELLS["exceptions"].get(name_of(path), {})
    lines = {cell.source: len([line for line in cell.source.splitlines() if line.strip()]) for cell in code_cells(path)}
    long = [source for source, count in lines.items() if count > MOST_LINES]
    named = [source for source in long if source.splitlines()[0] in reasons]
    assert len(named) == len(reasons), "a cell named in cells.toml is gone, or short"
    assert all(lines[source] <= MOST_LINES_WITH_A_REASON for source in named)
    allowed = CELLS["long"].get(name_of(path), 0)
    others = [source for source in long if source not in named]
    assert len(others) <= allowed, f"more than {MOST_LINES} lines, {allowed} cells may have them: {others}"


@each_notebook
def test_tags_are_known_and_tolerances_bounded(path):
    for tag in tags(path):
        if tag != "nbval-ignore-output":
            kind, value = re.fullmatch(r"nbval-([ar]tol)-([\d.e-]+)", tag).groups()
            assert 0 < float(value) <= BIGGEST_TOLERANCE[kind], tag


def test_only_the_version_line_is_ignored():
    ignored = [path.stem for path in NOTEBOOKS for tag in tags(path) if tag == "nbval-ignore-output"]
    assert ignored == ["00_start_here"]
    (cell,) = [cell for cell in code_cells(LESSONS[0]) if "nbval-ignore-output" in cell.metadata.get("tags", [])]
    assert "__version__" in cell.source


@each_notebook
def test_holds_no_path_address_or_warning(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"/(root|work|home|tmp|Users)/[A-Za-z]", text)
    for cell in code_cells(path):
        for output in cell.outputs:
            shown = output.get("text", "") + str(output.get("data", {}).get("text/plain", ""))
            assert not re.search(r"0x[0-9a-f]{6,}|Warning:", shown), cell.source


@each_notebook
def test_takes_its_temporary_folders_away(path):
    code = "\n".join(cell.source for cell in code_cells(path))
    made = len(re.findall(r"mkdtemp\(\)|(?<!with tempfile\.)TemporaryDirectory\(\)", code))
    assert len(re.findall(r"rmtree\(|\.cleanup\(\)", code)) == made


@each_notebook
def test_embedded_images_have_alt_text(path):
    assert not re.search(r"!\[\]\(|<img(?![^>]*alt=)", prose(path))


@each_lesson
def test_opens_and_closes_as_promised(path):
    cells = read(path).cells
    assert cells[0].source.startswith(f"# {path.stem[:2]} · ")
    assert len(re.findall(r"^# ", prose(path), re.M)) == 1
    opening, closing = cells[0].source, cells[-1].source
    for part in (opening, closing):
        bullets = part.split("In this notebook we", 1)[1]
        assert len(re.findall(r"^- ", bullets, re.M)) == 3, part
    assert "**Before you start:**" in opening
    assert MEASURED.search(opening)
    assert "**Next:**" in closing or path == LESSONS[-1]


@each_lesson
def test_is_prose_about_as_much_as_code(path):
    code = sum(len(cell.source) for cell in code_cells(path))
    assert len(prose(path)) > 0.4 * (len(prose(path)) + code)


def test_the_map_names_every_lesson():
    start = prose(LESSONS[0])
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in LESSONS[1:]:
        assert f"({path.name})" in start
        assert f"(notebooks/{path.name})" in readme


@each_lesson
def test_the_measured_minutes_and_memory_are_those_of_readme(path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"\(notebooks/{path.name}\) \|[^|\n]*\| (\d+\.\d) \| (\d+\.\d+) \|", readme)
    minutes, memory = found.groups()
    assert f"about {minutes} minutes and {float(memory):.1f} GB" in read(path).cells[0].source
