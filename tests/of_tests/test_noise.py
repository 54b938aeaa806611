"""The commands ``make noise`` and ``make places`` themselves: what they shuffle, count and keep."""

import os
from types import SimpleNamespace

from of_tests import noise
from of_tests.places import PLACES, RESULTS

ITEMS = [f"tests/test_{m}.py::test_{k}" for m in "abc" for k in range(9)]
CELLS = [f"notebooks/0{n}.ipynb::Cell {k}" for n in range(3) for k in range(12)]


def test_modules_notebooks_and_tests_are_shuffled_but_never_cells(monkeypatch):
    orders = []
    for seed in ("1", "2"):
        monkeypatch.setenv("NOISE_ORDER", seed)
        items = [SimpleNamespace(nodeid=name) for name in ITEMS + CELLS]
        noise.pytest_collection_modifyitems(items)
        orders.append([item.nodeid for item in items])
    first, second = orders
    assert sorted(first) == sorted(second) == sorted(ITEMS + CELLS)
    assert first != second != ITEMS + CELLS
    for order in orders:
        modules = list(dict.fromkeys(name.split("::")[0] for name in order))
        assert order == sorted(order, key=lambda name: modules.index(name.split("::")[0])), "modules stay together"
        for notebook in range(3):
            cells = [name for name in order if name.startswith(f"notebooks/0{notebook}")]
            assert cells == [name for name in CELLS if name in cells]
    assert [name for name in first if "test_a" in name] != [name for name in ITEMS if "test_a" in name]


def test_a_run_is_counted_and_its_noise_kept(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    (tmp_path / "test_one.py").write_text(
        "import os, pathlib, pytest\n"
        'def test_good(): pathlib.Path(os.environ[\'NBVAL_NOISE_FILE\']).write_text(\'{"cell": "a", "part": 0.5}\')\n'
        "def test_bad(): assert os.environ['SETTING'] == '0' and 'HOME' in os.environ\n"
        "def test_left(): pytest.skip()\n"
    )
    setting = {"environment": {"SETTING": "1", "HOME": None}, "one_cpu": hasattr(os, "sched_setaffinity")}
    outcomes, parts, _ = noise.run(["test_one.py"], tmp_path, root=tmp_path, **setting)
    assert outcomes == {
        "test_one::test_good": "passed",
        "test_one::test_bad": "failed",
        "test_one::test_left": "skipped",
    }
    assert parts == {"a": 0.5}


def test_a_row_takes_the_place_of_the_older_one(tmp_path, monkeypatch):
    monkeypatch.setattr(noise, "put_table", lambda *_: None)
    column, known = "setting", noise.SETTINGS
    first, second, *_ = known
    for name, outcome in ((second, "passed"), (first, "passed"), (second, "failed")):
        noise.keep(tmp_path / "kept.csv", {column: name}, known, [], {"a": outcome}, 3)
    rows = noise.read(tmp_path / "kept.csv")
    assert [(row[column], row["passed"], row["failed"]) for row in rows] == [(first, "1", "0"), (second, "0", "1")]


def test_every_tagged_cell_is_found_and_changed_tags_lose_what_was_known(tmp_path, monkeypatch):
    cells = list(noise.tagged_cells())
    assert len(cells) == len(set(cells)) > 20
    monkeypatch.setattr(noise, "TOLERANCES", tmp_path / "tolerances.csv")
    monkeypatch.setattr(noise, "put_table", lambda *_: None)
    noise.keep_tolerances("SSE41", {cell[:2]: "0.3" for cell in cells})
    noise.keep_tolerances("pixels", {cells[0][:2]: 1.1})
    first, second, *_ = noise.read(noise.TOLERANCES)
    assert (first["SSE41"], first["pixels"], second["SSE41"], second["pixels"]) == ("0.3", "1.1", "0.3", "")
    monkeypatch.setattr(noise, "tagged_cells", lambda: [(*cells[0][:2], "nbval-atol-9"), cells[1]])
    noise.keep_tolerances("pixels", {})
    first, second = noise.read(noise.TOLERANCES)
    assert (first["SSE41"], second["SSE41"]) == ("", "0.3")


def test_kept_figures_are_of_settings_and_places_that_exist():
    for path, known in ((noise.NOISE, noise.SETTINGS), (RESULTS, PLACES)):
        for row in noise.read(path):
            assert row[next(iter(row))] in known
