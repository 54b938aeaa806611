import sys

import numpy as np
import pytest

from lstm_mnist.files import DataError, all_or_nothing, read_npz

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")


def write(path, text, error=None):
    with all_or_nothing(path) as beside:
        beside.write_text(text)
        if error:
            raise error


@pytest.mark.parametrize("name", ["table.csv", "table", "a.tmp", ".hidden", "häß [1] \N{SNOWMAN}.npz", "n" * 255])
def test_a_file_is_written_and_replaced_and_nothing_is_left_beside_it(tmp_path, name):
    for text in ("one", "two"):
        write(tmp_path / name, text)
        assert [path.name for path in tmp_path.iterdir()] == [name]
        assert (tmp_path / name).read_text() == text


def test_missing_folders_are_made(tmp_path):
    write(tmp_path / "new" / "folder" / "table.csv", "one")
    assert (tmp_path / "new" / "folder" / "table.csv").read_text() == "one"


def test_the_suffix_is_kept_for_those_who_go_by_it(tmp_path):
    with all_or_nothing(tmp_path / "model.keras") as beside:
        assert beside.suffix == ".keras"
        beside.touch()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_what_was_there(tmp_path, error):
    write(tmp_path / "kept", "old")
    for name in ("kept", "new"):
        with pytest.raises(error):
            write(tmp_path / name, "half", error)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept").read_text() == "old"


def test_the_old_file_can_be_read_until_the_new_one_is_whole(tmp_path):
    write(tmp_path / "kept", "old")
    with all_or_nothing(tmp_path / "kept") as beside:
        beside.write_text("new")
        assert (tmp_path / "kept").read_text() == "old"
    assert (tmp_path / "kept").read_text() == "new"


def test_two_who_write_at_once_do_not_meet(tmp_path):
    with all_or_nothing(tmp_path / "x") as first:
        first.write_text("first")
        with all_or_nothing(tmp_path / "x") as second:
            second.write_text("second")
    assert (tmp_path / "x").read_text() == "first"


def test_a_folder_replaces_a_folder_whole(tmp_path):
    for name in ("one", "two"):
        with all_or_nothing(tmp_path / "folder") as beside:
            beside.mkdir()
            (beside / name).touch()
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["two"]


def test_a_file_never_replaces_a_folder(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "first.png").touch()
    with pytest.raises(OSError, match="photos cannot be written"):
        write(tmp_path / "photos", "one file")
    assert [path.name for path in tmp_path.rglob("*")] == ["photos", "first.png"]


def test_what_cannot_be_written_is_named(tmp_path):
    write(tmp_path / "diary", "private")
    for path in (tmp_path / "diary" / "x.csv", tmp_path / ("n" * 256)):
        with pytest.raises(OSError, match=f"{path.name} cannot be written .*choose another path"):
            write(path, "")
    with pytest.raises(OSError, match=r"forgotten\.csv cannot be written"), all_or_nothing(tmp_path / "forgotten.csv"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["diary"]


@posix
def test_a_link_keeps_leading_to_the_file(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    write(tmp_path / "elsewhere" / "kept", "old")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "kept")
    write(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "elsewhere" / "kept").read_text() == "new"


@posix
def test_others_may_read_what_they_might_read_anyway(tmp_path):
    (tmp_path / "plain").write_text("")
    write(tmp_path / "whole", "")
    assert (tmp_path / "whole").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_read_npz_refuses_pickles(tmp_path):
    np.savez(tmp_path / "pickled.npz", a=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError, match=r"pickled\.npz cannot be read .*: remedy"):
        read_npz(tmp_path / "pickled.npz", ["a"], "remedy")
