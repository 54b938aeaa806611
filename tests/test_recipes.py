import re
from dataclasses import fields, replace

import keras
import numpy as np
import pytest
import tensorflow as tf

import lstm_mnist
from lstm_mnist.better import recipes
from lstm_mnist.better.distortions import distort, disturb, on_changed
from lstm_mnist.better.ledger import LEDGER, read_ledger, read_table
from lstm_mnist.better.levers import smoothed
from lstm_mnist.commands import search
from lstm_mnist.pretrained import WEIGHTS_FOLDER
from lstm_mnist.training import compute_gradients

#: what may know next to nothing after its training
NEAR_CHANCE = {name for name in recipes.RECIPES if "pixels" in name}


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
        assert (0 if recipe in NEAR_CHANCE else 0.5) < row["test_accuracy"] < 1
    assert len({(row["name"], row["seed"]) for row in rows}) == len(rows)


@pytest.mark.parametrize("name", recipes.KEPT)
def test_shipped_weights_have_the_accuracy_that_the_ledger_says(name):
    model, row = lstm_mnist.load_pretrained(name), read_ledger(name)[0]
    assert row["seed"] == lstm_mnist.pretrained_recipe(name)["seed"] == 0
    for split, column in (("validation", "validation_accuracy"), ("test", "test_accuracy")):
        data = getattr(lstm_mnist.load_mnist(), split)
        right = model.predict(data.images, batch_size=1000, verbose=0).argmax(axis=1) == data.labels
        assert right.mean() == row[column]


def test_the_settings_found_are_those_of_the_smallest_loss_in_the_last_round():
    rows = [row for row in recipes.read_search() if row["steps"] == search.ROUNDS[-1][1]]
    best = min(rows, key=lambda row: row["validation_loss"])
    assert recipes.searched() == search.draw(search.ROUNDS[0][0])[int(best["number"])]


def test_the_rate_climbs_for_a_tenth_and_falls_to_nothing():
    rate = recipes.rise_and_fall(0.004, 1000)
    values = [float(rate(n)) for n in (0, 50, 100, 550, 1000)]
    assert values == pytest.approx([0.004 / 25, 0.004 * 13 / 25, 0.004, 0.002, 0], abs=1e-8)


@pytest.mark.parametrize(
    ("name", "steps", "peak", "distorted"),
    [
        ("2019", 5000, None, False),
        ("quick", 1100, 0.005, False),
        ("quickest", 430, 0.03, False),
        ("gru", 1100, 0.005, False),
        ("falling", 5000, 0.001, False),
        ("longer_falling", 12_000, 0.001, False),
        ("scheduled", 12_000, recipes.searched()["peak"], False),
        ("distorted", 12_000, recipes.searched()["peak"], True),
        ("best", 12_000, recipes.searched()["peak"], True),
        ("best_two_layers", 12_000, recipes.searched()["peak"], True),
        ("best_bidirectional", 12_000, recipes.searched()["peak"], True),
        ("best_8000", 8000, recipes.searched()["peak"], True),
        ("best_96000", 96_000, recipes.searched()["peak"], True),
        ("best_4000", 4000, recipes.searched()["peak"], True),
        ("best_every_row", 12_000, recipes.searched()["peak"], True),
        ("renet", 4000, 0.004, True),
        ("renet_12000", 12_000, 0.004, True),
    ],
)
def test_a_recipe_is_what_its_name_says(name, steps, peak, distorted):
    recipe = recipes.RECIPES[name]
    assert (recipe.steps, recipe.settings()["steps"], recipe.peak) == (steps, steps, peak)
    assert bool(recipe.changes) == distorted


def test_the_optimizer_follows_the_settings():
    assert float(recipes.Recipe().optimizer().learning_rate) == pytest.approx(0.001)
    for average in (False, True):
        optimizer = recipes.Recipe(steps=100, peak=0.004, beta_2=0.99, average=average).optimizer()
        assert (optimizer.use_ema, optimizer.beta_2, optimizer.global_clipnorm) == (average, 0.99, 1)
        assert float(optimizer.learning_rate) == pytest.approx(0.004 / 25)


@pytest.mark.parametrize("muon", [False, True])
def test_a_recipe_uses_all_that_it_is_given_beside_muon(muon):
    recipe = recipes.Recipe(muon=muon, average=True)
    optimizer = recipe.optimizer()
    assert (optimizer.use_ema, optimizer.global_clipnorm) == (True, None)
    assert float(optimizer.learning_rate) == pytest.approx(0.001)
    assert recipe.settings()["optimizer"].endswith("learning rate 0.001")
    assert recipe.settings()["optimizer"].startswith("Muon" if muon else "Adam")


def test_muon_moves_the_recurrent_kernel_and_adam_all_else():
    recipe, model = recipes.RECIPES["quickest"], lstm_mnist.LSTMClassifier(4)
    optimizer = recipe.optimizer()
    optimizer.build(model.trainable_variables)
    weights = zip(model.trainable_variables, optimizer.adam_velocities, strict=True)
    assert [weight.path for weight, velocity in weights if velocity is None] == [model.lstm.cell.recurrent_kernel.path]
    assert float(optimizer.learning_rate) == pytest.approx(0.03 / 25)
    assert (optimizer.momentum, optimizer.adam_lr_ratio, optimizer.adam_beta_2) == (0.9, 0.5, 0.99)
    assert (optimizer.weight_decay, optimizer.adam_weight_decay, optimizer.rms_rate) == (None, None, None)
    assert optimizer.global_clipnorm == 1
    assert recipe.settings()["optimizer"].startswith(
        "Muon for the recurrent kernel, Adam at half the rate for all else"
    )


def test_a_recipe_trains_as_told():
    """Three steps of `best` made small, against ``train`` itself."""
    mnist = lstm_mnist.load_mnist()
    recipe = replace(recipes.BEST, steps=3, make_model=lambda: lstm_mnist.LSTMClassifier(4))
    model = recipe.train(5, mnist)
    keras.utils.set_random_seed(5)
    by_hand = lstm_mnist.LSTMClassifier(4)
    compute = on_changed(recipe.change(5))
    lstm_mnist.train(by_hand, mnist.train, 3, 128, 5, recipe.optimizer(), compute, watchers=())
    for ours, theirs in zip(model.get_weights(), by_hand.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_taught_recipe_trains_its_teacher_first_and_asks_it(monkeypatch):
    mnist, teachers = lstm_mnist.load_mnist(), []

    def taught(teacher):
        teachers.append(teacher)
        return compute_gradients

    monkeypatch.setattr(recipes.levers, "taught", taught)
    monkeypatch.setitem(recipes.RECIPES, "teacher", recipes.Recipe(lambda: lstm_mnist.LSTMClassifier(2), steps=1))
    pupil = recipes.Recipe(lambda: lstm_mnist.LSTMClassifier(4), steps=3, teacher="teacher")
    alone = replace(pupil, teacher=None)
    for ours, theirs in zip(pupil.train(1, mnist).get_weights(), alone.train(1, mnist).get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    (teacher,) = teachers
    of_seed_0 = recipes.RECIPES["teacher"].train(0, mnist)
    for ours, theirs in zip(teacher.get_weights(), of_seed_0.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("number", [6, 11, 13])
def test_the_rivals_of_the_search_have_its_settings_and_the_steps_of_the_levers(number):
    recipe = recipes.RECIPES[f"setting_{number}_4000"]
    drawn = search.draw(search.ROUNDS[0][0])[number]
    assert recipes.searched(number) == drawn
    assert recipe == recipes.recipe_of(drawn, steps=4000)
    assert recipes.read_search()[-1]["number"] != number


@pytest.mark.parametrize("name", [name for name in recipes.RECIPES if name.endswith("_4000") and "setting" not in name])
def test_each_lever_changes_what_it_says_and_nothing_else(name):
    changed = {
        "best_4000": set(),
        "stronger_4000": {"changes"},
        "smoothed_4000": {"compute"},
        "dropped_4000": {"make_model"},
        "averaged_4000": {"average"},
        "larger_late_4000": {"batch_size", "compute"},
        "helped_4000": {"make_model", "compute"},
        "taught_4000": {"teacher"},
    }
    recipe, plain = recipes.RECIPES[name], recipes.RECIPES["best_4000"]
    differ = {one.name for one in fields(recipe) if getattr(recipe, one.name) != getattr(plain, one.name)}
    assert differ == changed[name]


def test_the_levers_are_moved_as_far_as_notebook_09_says():
    made = {name: recipes.RECIPES[f"{name}_4000"] for name in ("stronger", "larger_late", "smoothed", "taught")}
    assert made["stronger"].changes == {name: 1.5 * size for name, size in recipes.BEST.changes.items()}
    assert replace(recipes.BEST, changes=made["stronger"].changes) == recipes.RECIPES["stronger_12000"]
    assert made["taught"].teacher == "renet_12000"
    late = made["larger_late"]
    assert late.batch_size == 4 * recipes.BEST.batch_size
    keras.utils.set_random_seed(0)
    mnist, model = lstm_mnist.load_mnist(), lstm_mnist.LSTMClassifier(4)
    images, labels = (tf.constant(values[:512]) for values in (mnist.train.images, mnist.train.labels))
    fades = tf.cast(late.steps * (1 - late.fade), tf.int64)
    for n, count in ((fades - 1, 128), (fades, 512)):
        _, ours, _ = late.compute(model, images, labels, n)
        _, expected, _ = compute_gradients(model, images[:count], labels[:count], n)
        assert float(ours) == pytest.approx(float(expected))
    losses = [float(compute(model, images, labels, 0)[1]) for compute in (made["smoothed"].compute, smoothed(0.1))]
    assert losses[0] == losses[1]


def test_a_recipe_with_no_peak_or_no_distortions_uses_the_settings_it_reports():
    optimizer = recipes.Recipe(beta_2=0.9, average=True).optimizer()
    assert (optimizer.beta_2, optimizer.use_ema, optimizer.global_clipnorm) == (0.9, True, None)
    images = lstm_mnist.load_mnist().train.images[:2]
    noisy = recipes.Recipe(disturbed={"noise": 0.3, "missing_rows": 4})
    expected = disturb(images, [1_000_003, 7], noise=0.3, missing_rows=4)
    np.testing.assert_array_equal(noisy.change(3)(images, 7), expected)
    computes = []
    for recipe in (noisy, replace(noisy, disturbed={})):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(recipes, "train", lambda *words: computes.append(words[-1]))
            recipe.train(0, lstm_mnist.load_mnist())
    assert computes[1] is compute_gradients is not computes[0]


def test_the_distortions_of_best_are_those_that_the_search_found():
    images = lstm_mnist.load_mnist().train.images[:2]
    searched = recipes.searched()
    changes = {name: searched[name] for name in recipes.CHANGES}
    for name, amount in (("best", 0.5), ("distorted", 1.0)):
        recipe = recipes.RECIPES[name]
        n = recipe.steps - int(recipe.steps * searched["fade"]) // 2
        expected = distort(images, [3, n], amount, **changes)
        np.testing.assert_allclose(recipe.change(3)(images, n), expected, atol=1e-2)


def test_another_seed_is_other_distortions():
    images = lstm_mnist.load_mnist().train.images[:2]
    first, second, third = (recipes.BEST.change(seed)(images, 0).numpy() for seed in (0, 1, 1))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(second, third)


def test_distortions_change_each_step_and_fade_out_at_the_end():
    change, best = recipes.BEST.change(0), recipes.BEST
    images = np.repeat(lstm_mnist.load_mnist().train.images[:1], 20, axis=0)
    steps = (0, 1, *(int(best.steps * (1 - best.fade * left)) for left in (1, 0.3, 0)))
    distances = [np.abs(change(images, n) - images / np.float32(255)).mean() for n in steps]
    assert distances[0] != distances[1]
    assert min(distances[:3]) > distances[3] > distances[4] == 0
