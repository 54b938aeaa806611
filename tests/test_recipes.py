import keras
import numpy as np
import pytest

import lstm_mnist
from lstm_mnist import recipes
from lstm_mnist.evaluation import read_ledger
from lstm_mnist.lstm import WEIGHTS_FOLDER


def test_the_shipped_weights_are_those_of_the_kept_recipes():
    assert {path.stem for path in WEIGHTS_FOLDER.glob("*.npz")} == set(recipes.KEPT)
    assert set(recipes.KEPT) <= set(recipes.RECIPES)


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_every_recipe_has_its_runs_in_the_ledger_with_the_command_that_makes_them_again(name):
    for row in read_ledger(name):
        assert row["command"] == f"python -m lstm_mnist weights {name} --seeds {row['seed']}"


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


@pytest.fixture
def asked(monkeypatch):
    """What a recipe asks of ``train``, and the model's first weights; nothing is trained."""
    seen = {}

    def train(model, split, steps, batch_size, seed, optimizer=None, augment=None):
        seen.update(steps=steps, seed=seed, optimizer=optimizer, augment=augment, start=model.get_weights()[0])

    monkeypatch.setattr(recipes, "train", train)
    return seen


@pytest.mark.parametrize(
    ("name", "steps", "peak", "distorted", "averaged"),
    [
        ("quick", 1100, 0.005, False, False),
        ("scheduled", 6000, 0.004, False, False),
        ("distorted", 6000, 0.004, True, False),
        ("best", 6000, 0.004, True, True),
    ],
)
def test_a_recipe_asks_for_what_its_name_says(asked, name, steps, peak, distorted, averaged):
    _, settings = recipes.RECIPES[name](3, lstm_mnist.load_mnist())
    optimizer = asked["optimizer"]
    rate = optimizer._learning_rate
    assert (asked["steps"], settings["steps"], asked["seed"]) == (steps, steps, 3)
    assert float(rate(steps // 10)) == pytest.approx(peak)
    assert float(rate(steps)) == pytest.approx(0, abs=1e-8)
    assert optimizer.global_clipnorm == 1
    assert (asked["augment"] is not None, optimizer.use_ema) == (distorted, averaged)


def test_another_seed_is_another_network_and_other_distortions(asked):
    seen = []
    images = lstm_mnist.load_mnist().train.images[:2]
    for seed in (0, 1, 1):
        recipes.RECIPES["best"](seed, lstm_mnist.load_mnist())
        seen.append((asked["start"], asked["augment"](images, 0).numpy()))
    for first, second, third in zip(*seen, strict=True):
        assert not np.array_equal(first, second)
        np.testing.assert_array_equal(second, third)


def test_distortions_change_each_step_and_fade_out_over_the_last_three_tenths(asked):
    recipes.RECIPES["best"](0, lstm_mnist.load_mnist())
    image = lstm_mnist.load_mnist().train.images[:1]
    image = np.repeat(image, 20, axis=0)
    distances = [
        float(keras.ops.mean(abs(asked["augment"](image, n) - image / np.float32(255))))
        for n in (0, 1, 4000, 5400, 6000)
    ]
    assert distances[0] != distances[1]
    assert min(distances[:3]) > distances[3] > distances[4] == 0
