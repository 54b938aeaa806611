"""A run in a folder: what it goes on from, and what it refuses."""

import functools
import shutil
import subprocess
import sys
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

import lstm_mnist
from lstm_mnist.better import networks
from lstm_mnist.better.distortions import distort, on_changed
from lstm_mnist.better.recipes import Recipe
from lstm_mnist.checkpoints import describe
from lstm_mnist.inside import OneTanhClassifier, OpenGateClassifier


@pytest.fixture(scope="module")
def split():
    test = lstm_mnist.load_mnist().test
    return lstm_mnist.Split(test.images[:100, 10:16, 10:16], test.labels[:100])  # few rows: a small graph


def small_model(seed=0, **kwargs):
    keras.utils.set_random_seed(seed)
    return lstm_mnist.LSTMClassifier(num_hidden=4, num_features=6, **kwargs)


def train_in(folder, split, steps, model=None, **settings):
    watchers = [lstm_mnist.Checkpoints(folder, every=2)]
    return lstm_mnist.train(model or small_model(), split, steps, 8, watchers=watchers, **settings)


def assert_same_weights(a, b):
    for ours, theirs in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.fixture(scope="module")
def four_steps(split, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints") / "run"
    train_in(folder, split, 4)
    return folder


@pytest.fixture
def folder(four_steps, tmp_path):
    return shutil.copytree(four_steps, tmp_path / "run")


def change(degrees):
    return on_changed(functools.partial(distort_by, degrees=degrees))


def distort_by(images, n, degrees):
    return distort(images, [0, n], degrees=degrees)


class Scaled(keras.optimizers.Adam):
    """An optimizer of one's own, with a setting that its configuration does not name."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor


def frozen():
    model = small_model()
    model.output_layer.trainable = False
    return model


def shows_c():
    return OneTanhClassifier(num_hidden=4, num_features=6)


def relu():
    model = small_model()
    model.lstm.cell.activation = keras.activations.relu
    return model


def row_after_row():
    model = small_model()
    model.lstm.implementation = "plain"
    return model


def test_checkpoints_do_not_change_the_weights(split, tmp_path):
    quiet, chatty = small_model(), small_model()
    lstm_mnist.train(quiet, split, steps=60, batch_size=32, watchers=())
    watchers = [lstm_mnist.Printing(7), lstm_mnist.Checkpoints(tmp_path / "run", every=11)]
    lstm_mnist.train(chatty, split, steps=60, batch_size=32, watchers=watchers)
    assert_same_weights(quiet, chatty)


def test_a_finished_run_can_be_taken_further_and_not_back(split, tmp_path):
    first = lstm_mnist.train(small_model(), split, 20, 32, watchers=[lstm_mnist.Checkpoints(tmp_path / "run")])
    again = lstm_mnist.train(small_model(), split, 20, 32, watchers=[lstm_mnist.Checkpoints(tmp_path / "run")])
    np.testing.assert_array_equal(first.loss, again.loss)
    further, untroubled = small_model(seed=9), small_model()
    longer = lstm_mnist.train(further, split, 30, 32, watchers=[lstm_mnist.Checkpoints(tmp_path / "run")])
    np.testing.assert_array_equal(longer, lstm_mnist.train(untroubled, split, 30, 32, watchers=()))
    assert_same_weights(further, untroubled)
    with pytest.raises(ValueError, match="already at step 30: ask for more than steps=10"):
        lstm_mnist.train(small_model(), split, 10, 32, watchers=[lstm_mnist.Checkpoints(tmp_path / "run")])


def test_a_folder_of_another_run_is_refused_untouched(split, tmp_path):
    folder = tmp_path / "run"
    lstm_mnist.train(small_model(), split, 5, 32, watchers=[lstm_mnist.Checkpoints(folder)])
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    written = (folder / "run.npz").stat().st_mtime_ns
    other = lstm_mnist.Split(split.images[:99], split.labels[:99])
    relabelled = lstm_mnist.Split(split.images, (split.labels + 1) % 10)
    for arguments, message in (
        ((lstm_mnist.LSTMClassifier(9, num_features=6), split, 9, 32), "run with model"),
        ((small_model(), split, 9, 16), "batch_size = 32, this one has 16"),
        ((small_model(), split, 9, 32, 5), "seed = 0, this one has 5"),
        ((small_model(), split, 9, 32, 0, keras.optimizers.SGD(0.1)), "run with optimizer"),
        ((small_model(), other, 9, 32), "run with data"),
        ((small_model(), relabelled, 9, 32), "run with data"),
    ):
        with pytest.raises(ValueError, match=message):
            lstm_mnist.train(*arguments, watchers=[lstm_mnist.Checkpoints(folder)])
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert (folder / "run.npz").stat().st_mtime_ns == written


def test_what_is_in_the_folder_stays_and_one_that_cannot_be_is_named(split, tmp_path):
    (tmp_path / "diary.txt").write_text("private")
    assert len(train_in(tmp_path, split, 2).loss) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"diary.txt", "lock", "run.npz"}
    with pytest.raises(OSError, match=r"run\.npz cannot be written .*choose another path"):
        train_in(tmp_path / "diary.txt" / "x", split, 5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"compute": change(5)}, "run with compute"),
        ({"model": frozen}, "run with model"),
        ({"model": row_after_row}, "layers 2 1 implementation = fast, this one has plain"),
        ({"model": shows_c}, "layers 0 = LSTMClassifier, this one has OneTanhClassifier"),
        ({"model": relu}, "activation = tanh, this one has relu"),
        ({"model": functools.partial(small_model, dtype="mixed_bfloat16")}, "run with layers"),
        ({"model": functools.partial(small_model, dtype="float64")}, "run with model"),
        ({"seed": 1}, "run with seed"),
        ({"optimizer": functools.partial(keras.optimizers.Adam, 0.002)}, "run with optimizer"),
        ({"optimizer": functools.partial(Scaled, 2)}, "run with optimizer"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_any_other_setting_is_refused_before_a_weight_moves(folder, split, settings, message):
    made = {name: value() if isinstance(value, functools.partial) else value for name, value in settings.items()}
    model = made.pop("model", small_model)
    model = model if isinstance(model, keras.Model) else model()
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        train_in(folder, split, 8, model, **made)
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_other_open_gates_are_another_run_and_layers_within_layers_are_looked_at(split, tmp_path):
    def opened(gate):
        return OpenGateClassifier(gate, num_hidden=4, num_features=6)

    def sided(activation):
        layers = [keras.Input((6, 6)), keras.layers.Flatten(), keras.layers.Dense(4, activation)]
        return networks.Neighbour(keras.Sequential([*layers, keras.layers.Dense(10)]))

    for make, first, other in ((opened, "f", "o"), (sided, "relu", "tanh")):
        train_in(tmp_path / first, split, 2, make(first))
        train_in(tmp_path / first, split, 4, make(first))
        with pytest.raises(ValueError, match=f"= {first}, this one has {other}"):
            train_in(tmp_path / first, split, 6, make(other))


def test_a_run_on_changed_images_goes_on_with_the_same_change_alone(split, tmp_path):
    train_in(tmp_path / "run", split, 4, compute=change(5))
    with pytest.raises(ValueError, match="run with compute"):
        train_in(tmp_path / "run", split, 8, compute=change(6))
    with pytest.raises(ValueError, match="run with compute"):
        train_in(tmp_path / "run", split, 8)
    resumed, untroubled = small_model(), small_model()
    train_in(tmp_path / "run", split, 8, resumed, compute=change(5))
    lstm_mnist.train(untroubled, split, 8, 8, compute=change(5), watchers=())
    assert_same_weights(resumed, untroubled)


def test_functions_are_told_apart_by_code_and_by_what_they_bring_along():
    def adding(number):
        return lambda images, n: images + number

    assert describe(adding(1)) == describe(adding(1)) != describe(adding(2))
    assert describe(lambda x: x * 2) != describe(lambda x: x * 3)
    assert describe(adding(np.float32(0.5))) != describe(adding(np.float32(0.7)))
    assert describe(adding(np.zeros(3))) != describe(adding(np.ones(3)))


class Darker:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, images, n):
        return images * self.factor

    def compute(self, images, n):
        return self(images, n)


def darker(number):
    return eval(f"lambda images: images * {number}")


def module(number):
    mine = types.ModuleType("mine")
    mine.darker = darker(number)
    return eval("lambda images: mine.darker(images)", {"mine": mine})


def smooth(number):
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=number)
    return lambda labels, logits: loss(labels, logits)


def cast(number):
    dtype = tf.float32 if number == 0.5 else tf.float16
    return lambda images: tf.cast(images, dtype)


def inherited(number):
    return type("Darkest", (type("Own", (), {"__call__": darker(number)}),), {})()


@pytest.mark.parametrize(
    "make",
    [
        Darker,
        lambda number: Darker(number).compute,
        lambda number: tf.function(lambda images, n: images * number),
        lambda number: functools.partial(distort_by, degrees=number),
        lambda number: eval("lambda images, *, factor=number: images * factor", {"number": number}),
        lambda number: eval("lambda images: (lambda x: x * number)(images)", {"number": number}),
        lambda number: eval(f"lambda images: [x * {number} for x in images]"),
        lambda number: Recipe(changes={"degrees": number}).change(0),
        lambda number: on_changed(keras.layers.Rescaling(tf.constant(number))),
        lambda number: eval("lambda images: images * number", {"number": tf.constant(number)}),
        module,
        smooth,
        cast,
        inherited,
        lambda number: eval(f"lambda images: images in {{0, {number}}}"),
    ],
    ids=[
        *("object", "method", "graph", "partial", "keyword", "global", "inside", "recipe", "layer", "tensor"),
        *("module", "loss", "dtype", "inherited", "set"),
    ],
)
def test_a_function_is_known_by_all_that_it_reads(make):
    assert describe(make(0.5)) == describe(make(0.5)) != describe(make(0.6))


def test_a_global_with_the_name_of_an_attribute_is_none_that_a_function_reads():
    def reading(number):
        return eval("lambda images: images.mean", {"mean": number})

    assert describe(reading(0.5)) == describe(reading(0.6))


def test_a_function_that_reads_itself_or_a_module_has_a_description():
    def countdown(n):
        return countdown(n - 1) if n else np.zeros(keras.config.floatx())

    assert describe(countdown) == describe(countdown)


def test_a_run_already_further_on_leaves_the_model_as_it_was(folder, split):
    model = small_model(seed=5)
    before = model.get_weights()
    with pytest.raises(ValueError, match="already at step 4: ask for more than steps=2"):
        train_in(folder, split, 2, model)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


@pytest.mark.parametrize("lost", ["model 0", "optimizer 1", "history"])
def test_a_checkpoint_that_lacks_a_part_is_refused(folder, split, lost):
    with np.load(folder / "run.npz") as file:
        arrays = {name: file[name] for name in file.files if name != lost}
    np.savez(folder / "run.npz", **arrays)
    with pytest.raises(lstm_mnist.DataError, match=r"run\.npz cannot be read"):
        train_in(folder, split, 8)


@pytest.mark.parametrize(
    "changed", [{"settings": "{"}, {"settings": "[]"}, {"history": "text"}, {"history": [1.0]}, {"model 0": [[1.0]]}]
)
def test_a_checkpoint_changed_by_hand_is_refused_before_a_weight_moves(folder, split, changed):
    with np.load(folder / "run.npz") as file:
        arrays = dict(file)
    np.savez(folder / "run.npz", **(arrays | changed))
    model = small_model(seed=5)
    before = model.get_weights()
    with pytest.raises(lstm_mnist.DataError, match=r"run\.npz is no checkpoint"):
        train_in(folder, split, 8, model)
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("name", ["run [1]", "a*b?", "100 % sure", "row\\column"])
def test_no_name_of_a_folder_is_taken_for_a_pattern(split, tmp_path, name):
    if sys.platform == "win32":
        pytest.skip("Windows has no such names")
    train_in(tmp_path / name, split, 4)
    history = train_in(tmp_path / name, split, 6)
    assert len(history.loss) == 6
    assert {path.name for path in tmp_path.iterdir()} == {name}


def test_a_folder_that_vanishes_in_mid_run_is_made_again_whole(split, tmp_path):
    folder = tmp_path / "run"

    class Vanishing(lstm_mnist.Split):
        def batch_indices(self, n, batch_size=128, seed=0):
            if n == 3 and folder.exists():
                shutil.rmtree(folder)
            return super().batch_indices(n, batch_size, seed)

    vanishing = Vanishing(split.images, split.labels)
    first = train_in(folder, vanishing, 6)
    again = train_in(folder, split, 6)
    np.testing.assert_array_equal(first.loss, again.loss)


ELSEWHERE = """
import sys, time
from filelock import FileLock
with FileLock(sys.argv[1] + "/lock"):
    print("locked", flush=True)
    time.sleep(600)
"""


def test_two_processes_do_not_train_into_one_folder_and_a_dead_one_lets_go(folder, split):
    with subprocess.Popen([sys.executable, "-c", ELSEWHERE, folder], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(ValueError, match=r"another process trains into .*run: choose another"):
            train_in(folder, split, 8)
        other.kill()
        other.wait()
    assert len(train_in(folder, split, 8).loss) == 8
