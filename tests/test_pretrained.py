import json

import keras
import numpy as np
import pytest

import lstm_mnist
from lstm_mnist import inside, pretrained


@pytest.fixture(scope="module")
def images():
    return lstm_mnist.load_mnist().test.images[:20]


def test_the_shipped_2019_weights_score_what_their_recipe_says(images):
    mnist = lstm_mnist.load_mnist()
    model, recipe = lstm_mnist.load_pretrained("2019"), lstm_mnist.pretrained_recipe("2019")
    accuracy = {}
    for name in ("validation", "test"):
        split = getattr(mnist, name)
        logits = model.predict(split.images, batch_size=1000, verbose=0)
        accuracy[name] = np.mean(logits.argmax(axis=1) == split.labels)
    assert accuracy["validation"] == recipe["validation_accuracy"]
    assert accuracy["test"] >= 0.982
    assert {"command", "seed", "steps", "versions"} <= set(recipe)


@pytest.mark.parametrize("name", ["mine.npz", "my best [1], ☃.tmp.npz", "2019.npz"])
def test_saved_weights_come_back_with_their_recipe(tmp_path, images, name):
    model = lstm_mnist.LSTMClassifier(8, num_classes=3)
    lstm_mnist.save_pretrained(model, tmp_path / name, {"seed": 7})
    for path in (tmp_path / name, str(tmp_path / name)):
        np.testing.assert_array_equal(lstm_mnist.load_pretrained(path)(images), model(images))
        assert lstm_mnist.pretrained_recipe(path) == {"seed": 7}
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_a_file_in_the_working_folder_is_found_by_its_name(tmp_path, images, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = lstm_mnist.LSTMClassifier(8)
    lstm_mnist.save_pretrained(model, "mine.npz", {})
    np.testing.assert_array_equal(lstm_mnist.load_pretrained("mine.npz")(images), model(images))


def test_a_network_in_mixed_precision_is_kept(tmp_path):
    model = lstm_mnist.LSTMClassifier(8, dtype="mixed_bfloat16")
    lstm_mnist.save_pretrained(model, tmp_path / "mine.npz", {})
    again = lstm_mnist.load_pretrained(tmp_path / "mine.npz")
    for ours, theirs in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def with_weights(change):
    model = lstm_mnist.LSTMClassifier(8)
    model.set_weights([change(weight) for weight in model.get_weights()])
    return model


def with_adapter():
    model = lstm_mnist.LSTMClassifier(8)
    model.output_layer.enable_lora(2)
    return model


CANNOT_BE_KEPT = {
    "NaN": (lambda: with_weights(lambda weight: weight * np.nan), "expected float32, all finite"),
    "float64": (lambda: lstm_mnist.LSTMClassifier(8, dtype="float64"), "kernel is float64"),
    "more weights": (with_adapter, "7 arrays of weights, not 5: keep it by model.save"),
    "no second tanh": (lambda: inside.OneTanhClassifier(num_hidden=4), "OneTanhClassifier answers otherwise"),
    "other equations": (lambda: inside.OpenGateClassifier("f", num_hidden=8), "OpenGateClassifier answers otherwise"),
    "another network": (lambda: inside.RNNClassifier(8), "of type RNNClassifier: give an LSTMClassifier"),
    "a Keras network": (lambda: keras.Sequential([keras.layers.Dense(2)]), "of type Sequential: give an"),
}


@pytest.mark.parametrize("why", CANNOT_BE_KEPT)
def test_what_could_not_be_loaded_is_not_saved(tmp_path, why):
    make, message = CANNOT_BE_KEPT[why]
    path = tmp_path / "mine.npz"
    lstm_mnist.save_pretrained(lstm_mnist.LSTMClassifier(8), path, {})
    before = path.read_bytes()
    with pytest.raises((TypeError, ValueError), match=message):
        lstm_mnist.save_pretrained(make(), path, {})
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["mine.npz"]


@pytest.mark.parametrize("recipe", [None, [], "seed 7", {"not": {1, 2}}, {"accuracy": np.float32(0.98)}])
def test_a_recipe_that_is_no_json_is_not_saved(tmp_path, recipe):
    with pytest.raises(ValueError, match=r"recipe cannot be kept .*: give a dict"):
        lstm_mnist.save_pretrained(lstm_mnist.LSTMClassifier(8), tmp_path / "mine.npz", recipe)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["mine", "mine.h5", "mine.tmp"])
def test_a_file_that_would_not_be_found_again_is_not_saved(tmp_path, name):
    with pytest.raises(ValueError, match=rf"does not end in \.npz: call it {name}\.npz"):
        lstm_mnist.save_pretrained(lstm_mnist.LSTMClassifier(8), tmp_path / name, {})


def damaged(**changes):
    model = lstm_mnist.LSTMClassifier(8)
    arrays = dict(zip(pretrained.ARRAYS, model.get_weights(), strict=True)) | {"recipe": json.dumps({})}
    return {name: value for name, value in (arrays | changes).items() if value is not None}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (damaged(bias=None), "cannot be read .*bias"),
        (damaged(bias=np.zeros(31, np.float32)), r"no weights file .*\(31,\)"),
        (damaged(bias=np.zeros(32)), "bias is float64"),
        (damaged(bias=np.full(32, np.nan, np.float32)), "finite"),
        (damaged(output_kernel=np.zeros((8, 0), np.float32), output_bias=np.zeros(0, np.float32)), "num_classes is 0"),
        (damaged(kernel=np.array([{}], dtype=object)), "cannot be read"),
        (damaged(recipe="no json"), "no weights file"),
    ],
)
def test_unusable_weights_are_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(lstm_mnist.DataError, match=rf"bad\.npz.*{message}.*: save it again with save_pretrained"):
        lstm_mnist.load_pretrained(tmp_path / "bad.npz")


@pytest.mark.parametrize("name", ["nonesuch", "", None, 2020, "../weights/2020"])
def test_missing_weights_name_those_that_are_there(name):
    with pytest.raises(lstm_mnist.DataError, match=r"\.npz is missing: take one of 2019, .*sturdy, give a file"):
        lstm_mnist.load_pretrained(name)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(lstm_mnist.DataError, match=r"mine\.npz is missing"):
        lstm_mnist.load_pretrained(tmp_path / "mine.npz")
