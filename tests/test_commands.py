"""What ``python -m lstm_mnist`` does with its words: where results go, and what is said before."""

import pytest

from lstm_mnist import __main__ as commands
from lstm_mnist.commands import predict as predicting
from lstm_mnist.commands import timings as timing


@pytest.fixture
def called(monkeypatch):
    """Each command replaced by one that notes what it was called with."""
    calls = []
    for name in ("weights", "search", "timings", "predict", "workers", "bench", "measure"):
        monkeypatch.setattr(commands, name, lambda *words, name=name, **options: calls.append((name, words, options)))
    return calls


@pytest.mark.parametrize(
    ("words", "tracked"),
    [
        (["weights", "quick"], "lstm_mnist/weights"),
        (["search"], "lstm_mnist/weights"),
        (["bench"], "notebooks"),
        (["workers", "--measure"], "notebooks"),
    ],
)
def test_results_take_the_place_of_tracked_ones_only_where_asked(words, tracked, called, tmp_path, capsys):
    def place_of(call):
        name, arguments, _ = call
        return arguments[4 if name == "weights" else 0]

    commands.main(words)
    assert place_of(called[-1]) is None
    said = capsys.readouterr().out
    assert "printed only" in said
    assert "--keep" in said
    assert tracked in said
    folder = tmp_path / "new" / "folder"
    commands.main([*words, "--folder", str(folder)])
    assert folder.is_dir()
    assert str(place_of(called[-1])).startswith(str(folder))
    commands.main([*words, "--keep"])
    assert str(place_of(called[-1])).startswith(str(commands.ROOT / tracked))
    assert "in place of" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["weights", "2019", "--data"], ["predict"]])
def test_data_that_are_not_there_are_named_without_a_traceback(words, tmp_path):
    with pytest.raises(SystemExit, match=r"nowhere .*(put the four IDX files|give a folder with pictures)"):
        commands.main([*words, str(tmp_path / "nowhere")])


def test_a_folder_that_cannot_be_made_is_named_before_any_work(called, tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "within"):
        with pytest.raises(SystemExit, match=r"file.* cannot be made .*: choose another"):
            commands.main(["weights", "quick", "--folder", str(folder)])
    assert not called


def test_a_folder_and_keep_exclude_each_other(called, capsys):
    with pytest.raises(SystemExit):
        commands.main(["weights", "quick", "--keep", "--folder", "x"])
    assert "not allowed with" in capsys.readouterr().err


def test_pictures_ask_where_to_go(called, capsys):
    with pytest.raises(SystemExit):
        commands.main(["figures"])
    assert "--keep --folder" in capsys.readouterr().err


def test_other_words_reach_their_command(called):
    commands.main(["timings"])
    commands.main(["timings", "--keep"])
    commands.main(["predict", "pictures", "--weights", "quick"])
    commands.main(["workers", "--count", "3"])
    commands.main(["weights", "best", "--seeds", "0", "2", "--data", "clothes", "--together"])
    assert called == [
        ("timings", (False,), {}),
        ("timings", (True,), {}),
        ("predict", ("pictures", "quick"), {}),
        ("workers", (3,), {}),
        ("weights", ("best", [0, 2], "clothes", True, None), {}),
    ]


def test_a_picture_that_cannot_be_read_is_named_and_a_failure(monkeypatch, capsys):
    monkeypatch.setattr(predicting, "predict_folder", lambda *_: [("a.png", 3, 0.5), ("b.png", None, "it is empty")])
    with pytest.raises(SystemExit) as ending:
        predicting.predict("pictures", "2019")
    assert ending.value.code == 1
    said = capsys.readouterr()
    assert (said.out, said.err) == ("file,digit,probability\na.png,3,0.500\n", "b.png: it is empty\n")


def test_help_says_how_long_each_command_takes(capsys):
    with pytest.raises(SystemExit):
        commands.main(["--help"])
    words = " ".join(capsys.readouterr().out.split())
    for name in ("weights", "search", "timings", "figures", "bench", "workers", "predict"):
        assert any(time in words.split(f" {name} ")[-1] for time in ("second", "minute", "hour"))


def test_minutes_and_memory_go_into_readme_and_the_notebooks_head(tmp_path, monkeypatch, capsys):
    (tmp_path / "notebooks").mkdir()
    notebook, readme = tmp_path / "notebooks" / "01_data.ipynb", tmp_path / "README.md"
    notebook.write_text("*Measured: about 9.0 minutes and 9.9 GB of memory on 2 CPU cores.*")
    rows = "| [01](notebooks/01_data.ipynb) | words | 9.0 | 9.00 |\n| [02](notebooks/02.ipynb) | more | 1.0 | 2.00 |"
    readme.write_text(rows)
    monkeypatch.setattr(timing, "ROOT", tmp_path)
    monkeypatch.setattr(timing, "_run_notebook", lambda path: (90, 0.84))
    timing.timings()
    assert readme.read_text() == rows
    assert "1.5 minutes, 0.84 GB" in capsys.readouterr().out
    timing.timings(keep=True)
    assert notebook.read_text() == "*Measured: about 1.5 minutes and 0.8 GB of memory on 2 CPU cores.*"
    assert readme.read_text() == rows.replace("9.0 | 9.00", "1.5 | 0.84")
