import pytest

import lstm_mnist
from lstm_mnist.better import recipes
from lstm_mnist.better.ledger import LEDGER, read_ledger, read_table, write_table


def test_the_ledger_holds_three_seeds_and_more_of_the_2019_recipe_over_0_982():
    rows = read_ledger("2019")
    assert len({row["seed"] for row in rows}) == len(rows) >= 3
    assert all(row["test_accuracy"] >= 0.982 for row in rows)
    recipe = lstm_mnist.pretrained_recipe("2019")
    (first,) = [row for row in rows if row["seed"] == recipe["seed"]]
    assert first["validation_accuracy"] == recipe["validation_accuracy"]


def test_a_run_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="no run named 'nonesuch'"):
        read_ledger("nonesuch")


@pytest.mark.parametrize("path", [LEDGER, recipes.SEARCHED])
def test_the_stored_tables_come_back_byte_for_byte(tmp_path, path):
    write_table(tmp_path / "again.csv", read_table(path))
    assert (tmp_path / "again.csv").read_bytes() == path.read_bytes()


def test_numbers_come_back_as_numbers_and_texts_as_texts(tmp_path):
    rows = [{"name": "2019", "seed": 0, "share": 0.1 + 0.2, "average": True, "command": 'x "y", z\n'}]
    write_table(tmp_path / "table.csv", rows)
    assert read_table(tmp_path / "table.csv") == rows
    write_table(tmp_path / "table.csv", [{"loss": float("nan"), "most": float("inf"), "rate": 1e-05}])
    assert repr(read_table(tmp_path / "table.csv")) == "[{'loss': nan, 'most': inf, 'rate': 1e-05}]"


def test_a_table_without_names_has_no_run_and_a_mark_in_front_of_it_is_passed_over(tmp_path):
    (tmp_path / "table.csv").write_text("seed\n1\n")
    with pytest.raises(ValueError, match="no run named 'best'"):
        read_ledger("best", tmp_path / "table.csv")
    (tmp_path / "table.csv").write_text("\ufeffname,seed\nbest,1\n", encoding="utf-8")
    assert read_ledger("best", tmp_path / "table.csv") == [{"name": "best", "seed": 1}]


def test_a_table_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "table.csv"
    write_table(path, [{"a": 1, "b": 2.5}])
    for rows, message in (
        ([{"a": 2, "b": 3}, {"a": 3, "c": 4}], r"the columns \['a', 'c'\], the first one \['a', 'b'\]"),
        ([{"a": 2, "b": 3}, {"a": 3}], r"the columns \['a'\]"),
        ([{"a": 2, "b": "three"}], "b is 'three', no number"),
        ([{"a": 2, "b": None}], "b is 'None', no number"),
        ([], "there is no row"),
    ):
        with pytest.raises(ValueError, match=message):
            write_table(path, rows)
    assert read_table(path) == [{"a": 1, "b": 2.5}]


@pytest.mark.parametrize(
    ("content", "line"),
    [("a\n1\nx\n", 3), ("a,b\n1\n", 2), ("a\n1,2\n", 2), ("a\n\xff", 0), ('a\n"1', 0), ("a\n[1]", 2)],
)
def test_a_damaged_table_is_named_with_its_line(tmp_path, content, line):
    (tmp_path / "table.csv").write_bytes(content.encode("latin-1"))
    with pytest.raises(lstm_mnist.DataError, match=rf"table\.csv, line {line}, cannot be read .*restore it"):
        read_table(tmp_path / "table.csv")
    with pytest.raises(lstm_mnist.DataError, match=r"none\.csv.* cannot be read"):
        read_table(tmp_path / "none.csv")
