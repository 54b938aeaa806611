"""Numbers in the notebooks' prose that no cell prints: ``python tests/quoted.py`` lists them, each with its sentence.

A sentence about a result quotes a number as a cell of its notebook shows it, so that a changed result turns the
sentence red (``test_numbers.py``). ``numbers.toml`` names the constants that nobody needs to print, with the reason.
"""

import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import nbformat

ROOT = Path(__file__).parent.parent
COPIES = ".ipynb_checkpoints"  # what JupyterLab keeps beside a file that was saved
NOTEBOOKS = [path for path in sorted((ROOT / "notebooks").rglob("*.ipynb")) if COPIES not in path.parts]
LIST = ROOT / "tests" / "numbers.toml"

#: where no number is looked for: code, formulas, addresses, HTML, the measured line, numbers of notebooks and of
#: exercises, and the tasks of exercises, whose numbers are given
NO_PROSE = re.compile(
    r"```.*?```|`[^`\n]*`|\$\$.*?\$\$|\$[^$\n]+\$|\]\([^)]*\)|https?://\S+|<[^>\n]*>|^\*Measured:[^\n]*|arXiv[: ]\S+"
    r"|\d\d · |\b0\d\.\d\b|^### Exercise .*",
    re.M | re.S,
)
IN_PROSE = re.compile(r"(?<![\w.,])(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?(?!\w|[.,]\d)( ?%| per cent)?")
SHOWN = re.compile(r"(?<![\w.])(\d{1,3}(?:,\d{3})+(?!\d)|\d[\d_]*)(\.\d*)?(?:e([-+]?\d+))?(?!\d)", re.I)
KINDS = ("text/plain", "text/html", "text/markdown")
SMALLEST_COUNT = 11  # smaller whole numbers are digits, gates and the like, and printed everywhere
YEARS = range(1900, 2031)


class Quoted(NamedTuple):
    text: str  # as written: "98.4 %"
    value: Decimal
    sentence: str

    def stands_in(self, numbers):
        """A percentage may be printed as a part of 1: 98.5 % as 0.985."""
        if self.value in numbers:
            return True
        return self.text.endswith(("%", "per cent")) and self.value / 100 in numbers


def quoted(prose):
    """The decimals, percentages and counts of a Markdown text."""
    text = NO_PROSE.sub(" ", prose)
    for found in IN_PROSE.finditer(text):
        whole, decimals, per_cent = found.groups()
        value = Decimal(whole.replace(",", "") + (decimals or ""))
        is_year = len(whole) == 4 and value in YEARS
        if decimals or per_cent or not (value < SMALLEST_COUNT or is_year):
            context = text[max(0, found.start() - 60) : found.end() + 40]
            yield Quoted(found[0], value, " ".join(context.split()))


def shown(cells):
    """Every number in the code of the cells and in what they print, as a set."""
    numbers = set()
    for cell in cells:
        texts = [cell.source]
        for output in cell.outputs:
            texts += [output.get("text", ""), *(output.get("data", {}).get(kind, "") for kind in KINDS)]
        for whole, decimals, exponent in SHOWN.findall("\n".join(texts)):
            value = Decimal(whole.replace(",", "").replace("_", "") + decimals)
            numbers.add(value.scaleb(int(exponent or 0)))
    return numbers


def unprinted(cells, constants=()):
    """What the prose of a notebook quotes and neither its code cells nor ``constants`` (texts) hold."""
    code = [cell for cell in cells if cell.cell_type == "code"]
    known = shown(code) | {number.value for text in constants for number in quoted(text)}
    prose = [cell.source for cell in cells if cell.cell_type == "markdown"]
    return [number for text in prose for number in quoted(text) if not number.stands_in(known)]


def name_of(path):
    """ "01_data", or "solutions/01_data"."""
    return path.relative_to(ROOT / "notebooks").with_suffix("").as_posix()


def offenders(path):
    """What a notebook quotes unprinted, the constants of ``numbers.toml`` left out."""
    constants = tomllib.loads(LIST.read_text(encoding="utf-8"))["constants"]
    named = [*constants["everywhere"], *constants.get(name_of(path), {})]
    return unprinted(nbformat.read(path, as_version=4).cells, named)


def main():
    for path in NOTEBOOKS:
        for number in offenders(path):
            print(f"{name_of(path)}: {number.text:>8} in: … {number.sentence} …")


if __name__ == "__main__":
    main()
