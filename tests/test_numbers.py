"""Numbers in the notebooks' prose are printed by a cell or named in ``numbers.toml``."""

import tomllib

import pytest
from nbformat import v4
from quoted import LIST, NOTEBOOKS, name_of, offenders, quoted, unprinted

UNPRINTED = tomllib.loads(LIST.read_text(encoding="utf-8"))["unprinted"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_prose_quotes_what_cells_print(path):
    found = {number.text: number.sentence for number in offenders(path)}
    known = set(UNPRINTED.get(name_of(path), []))
    new = {text: sentence for text, sentence in found.items() if text not in known}
    assert not new, f"print these in a cell, or name them in numbers.toml as constants, with the reason: {new}"
    assert known <= set(found), f"no longer unprinted, take them off numbers.toml: {known - set(found)}"


def test_lists_are_of_notebooks_that_exist():
    names = {name_of(path) for path in NOTEBOOKS}
    constants = tomllib.loads(LIST.read_text(encoding="utf-8"))["constants"]
    assert {*UNPRINTED, *constants} - {"everywhere"} <= names


@pytest.mark.parametrize(
    ("prose", "numbers"),
    [
        ("It reads 98.5 % of 1,234 images, **0.97** before.", ["98.5 %", "1,234", "0.97"]),
        ("3 gates, 10 digits, in 2019 and 1997, row 12.", ["12"]),
        ('`x[17]`, $0.5 h$, [03 · Training](03_a.ipynb#25), <img width="700">, h_14, v1.25.3, exercise 02.4.', []),
        ("```\nprint(17)\n```\n$$\n0.5 \\times 99\n$$\n*Measured: about 0.5 minutes.*\nThen 33.", ["33"]),
        ("A rise of 12.5 per cent.", ["12.5 per cent"]),
        ("### Exercise 01.1\nCut 17 rows.", []),
        ("-0.25, about 40.", ["0.25", "40"]),
    ],
)
def test_numbers_are_found_in_prose(prose, numbers):
    assert [number.text for number in quoted(prose)] == numbers


def notebook(prose, code, printed):
    outputs = [v4.new_output("stream", name="stdout", text=printed)]
    return [v4.new_markdown_cell(prose), v4.new_code_cell(code, outputs=outputs)]


@pytest.mark.parametrize(
    ("prose", "printed", "missing"),
    [
        ("98.5 % are right.", "accuracy 0.985", []),
        ("98.5 % are right.", "accuracy 0.986", ["98.5 %"]),
        ("0.985 of them.", "accuracy 0.9850", []),
        ("0.98 of them.", "accuracy 0.985", ["0.98"]),
        ("After 2,000 steps 0.00012.", "1.2e-04", []),
        ("1,234 images.", "1234 images", []),
        ("1,234 images.", "234 images, 1 more", ["1,234"]),
    ],
)
def test_a_changed_result_turns_its_sentence_red(prose, printed, missing):
    cells = notebook(prose, "train(steps=2_000)", printed)
    assert [number.text for number in unprinted(cells)] == missing
    assert not unprinted(cells, constants=missing)
