import re

import numpy as np
import pytest

import lstm_mnist
from lstm_mnist.better import recipes
from lstm_mnist.better.distortions import distort
from lstm_mnist.better.ledger import LEDGER, read_ledger, read_table
from lstm_mnist.pretrained import WEIGHTS_FOLDER


def test_the_shipped_weights_are_those_of_the_kept_recipes():
    assert {path.stem for path in WEIGHTS_FOLDER.glob("*.npz")} == set(recipes.KEPT)
    assert set(recipes.KEPT) <= set(recipes.RECIPES)


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_every_recipe_has_its_runs_in_the_ledger_with_the_command_that_makes_them_again(name):
    for row in read_ledger(name):
        assert row["command"] == f"python -m lstm_mnist weights {name} --seeds {row['seed']}"


def test_every_row_of_the_ledger_is_named_after_its_command():
    rows = read_table(LEDGER)
    for row in rows:
        form = r"python -m lstm_mnist weights (\w+) --seeds ([\d ]+?)( --together)?(?: --data \S*?([\w-]+))?"
        recipe, seeds, together, data = re.fullmatch(form, row["command"]).groups()
        assert recipe in recipes.RECIPES
        name = f"{data}/{recipe}" if data else recipe
        assert row["name"] == (f"{len(seeds.split())} x {name}" if together else name)
        assert row["seed"] == int(seeds.split()[0])
        assert 0.5 < row["test_accuracy"] < 1
    assert len({(row["name"], row["seed"]) for row in rows}) == len(rows)


@pytest.mark.parametrize("name", recipes.KEPT)
def test_shipped_weights_have_the_accuracy_that_the_ledger_says(name):
    model, row = lstm_mnist.load_pretrained(name), read_ledger(name)[0]
    assert row["seed"] == lstm_mnist.pretrained_recipe(name)["seed"] == 0
    for split, column in (("validation", "validation_accuracy"), ("test", "test_accuracy")):
        data = getattr(lstm_mnist.load_mnist(), split)
        right = model.predict(data.images, batch_size=1000, verbose=0).argmax(axis=1) == data.labels
        assert right.mean() == row[column]


def test_the_rate_climbs_for_a_tenth_and_falls_to_nothing():
    rate = recipes.rise_and_fall(0.004, 1000)
    values = [float(rate(n)) for n in (0, 50, 100, 550, 1000)]
    assert values == pytest.approx([0.004 / 25, 0.004 * 13 / 25, 0.004, 0.002, 0], abs=1e-8)


@pytest.fixture
def asked(monkeypatch):
    """What a recipe asks of ``train``, and the model's first weights; nothing is trained."""
    seen = {}

    def train(model, split, steps, batch_size, seed, optimizer=None, augment=None):
        seen.update(steps=steps, seed=seed, optimizer=optimizer, augment=augment, start=model.get_weights()[0])

    monkeypatch.setattr(recipes, "train", train)
    return seen


@pytest.mark.parametrize(
    ("name", "steps", "peak", "distorted"),
    [
        ("quick", 1100, 0.005, False),
        ("gru", 1100, 0.005, False),
        ("scheduled", recipes.STEPS, recipes.found()["peak"], False),
        ("distorted", recipes.STEPS, recipes.found()["peak"], True),
        ("best", recipes.STEPS, recipes.found()["peak"], True),
        ("renet", 4000, 0.004, True),
    ],
)
def test_a_recipe_asks_for_what_its_name_says(asked, name, steps, peak, distorted):
    _, settings = recipes.RECIPES[name](3, lstm_mnist.load_mnist())
    optimizer = asked["optimizer"]
    rate = optimizer._learning_rate
    assert (asked["steps"], settings["steps"], asked["seed"]) == (steps, steps, 3)
    assert float(rate(steps // 10)) == pytest.approx(peak)
    assert float(rate(steps)) == pytest.approx(0, abs=1e-8)
    assert optimizer.global_clipnorm == 1
    assert (asked["augment"] is not None) == distorted


@pytest.mark.parametrize("average", [False, True])
def test_a_climb_averages_the_weights_if_told_to(asked, average):
    recipes.climb(100, 0.004, 0.99, average)(0, lstm_mnist.load_mnist())
    assert asked["optimizer"].use_ema == average
    assert asked["optimizer"].beta_2 == 0.99


def test_the_distortions_of_best_are_those_that_the_search_found(asked):
    images = lstm_mnist.load_mnist().train.images[:2]
    changes = {name: recipes.found()[name] for name in ("degrees", "scale", "shear", "shift", "bend")}
    for name, amount in (("best", 0.5), ("distorted", 1.0)):
        recipes.RECIPES[name](3, lstm_mnist.load_mnist())
        n = recipes.STEPS - int(recipes.STEPS * recipes.found()["fade"]) // 2
        expected = distort(images, [3, n], amount, **changes)
        np.testing.assert_allclose(asked["augment"](images, n), expected, atol=1e-2)


def test_another_seed_is_another_network_and_other_distortions(asked):
    seen = []
    images = lstm_mnist.load_mnist().train.images[:2]
    for seed in (0, 1, 1):
        recipes.RECIPES["best"](seed, lstm_mnist.load_mnist())
        seen.append((asked["start"], asked["augment"](images, 0).numpy()))
    for first, second, third in zip(*seen, strict=True):
        assert not np.array_equal(first, second)
        np.testing.assert_array_equal(second, third)


def test_distortions_change_each_step_and_fade_out_at_the_end(asked):
    recipes.RECIPES["best"](0, lstm_mnist.load_mnist())
    images = np.repeat(lstm_mnist.load_mnist().train.images[:1], 20, axis=0)
    steps = (0, 1, *(int(recipes.STEPS * (1 - recipes.found()["fade"] * left)) for left in (1, 0.3, 0)))
    distances = [np.abs(asked["augment"](images, n) - images / np.float32(255)).mean() for n in steps]
    assert distances[0] != distances[1]
    assert min(distances[:3]) > distances[3] > distances[4] == 0
