import csv
import re

import pytest

import lstm_mnist
from lstm_mnist import recipes
from lstm_mnist.evaluation import LEDGER, read_ledger
from lstm_mnist.lstm import WEIGHTS_FOLDER


def test_the_shipped_weights_are_those_of_the_kept_recipes():
    assert {path.stem for path in WEIGHTS_FOLDER.glob("*.npz")} == set(recipes.KEPT)
    assert set(recipes.KEPT) <= set(recipes.RECIPES)


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_every_recipe_has_its_runs_in_the_ledger_with_the_command_that_makes_them_again(name):
    for row in read_ledger(name):
        assert row["command"] == f"python -m lstm_mnist weights {name} --seeds {row['seed']}"


def test_every_row_of_the_ledger_is_named_after_its_command():
    with open(LEDGER, newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        form = r"python -m lstm_mnist weights (\w+) --seeds ([\d ]+?)( --together)?(?: --data \S*?([\w-]+))?"
        recipe, seeds, together, data = re.fullmatch(form, row["command"]).groups()
        assert recipe in recipes.RECIPES
        name = f"{data}/{recipe}" if data else recipe
        assert row["name"] == (f"{len(seeds.split())} x {name}" if together else name)
        assert row["seed"] == seeds.split()[0]
        assert 0.5 < float(row["test_accuracy"]) < 1
    assert len({(row["name"], row["seed"]) for row in rows}) == len(rows)


@pytest.mark.parametrize("name", recipes.KEPT)
def test_shipped_weights_have_the_accuracy_that_the_ledger_says(name):
    model, row = lstm_mnist.load_pretrained(name), read_ledger(name)[0]
    assert row["seed"] == str(lstm_mnist.pretrained_recipe(name)["seed"]) == "0"
    for split, column in (("validation", "validation_accuracy"), ("test", "test_accuracy")):
        data = getattr(lstm_mnist.load_mnist(), split)
        right = model.predict(data.images, batch_size=1000, verbose=0).argmax(axis=1) == data.labels
        assert right.mean() == float(row[column])


def test_the_rate_climbs_for_a_tenth_and_falls_to_nothing():
    rate = recipes.rise_and_fall(0.004, 1000)
    values = [float(rate(n)) for n in (0, 50, 100, 550, 1000)]
    assert values == pytest.approx([0.004 / 25, 0.004 * 13 / 25, 0.004, 0.002, 0], abs=1e-8)
