import importlib.util
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import lstm_mnist
from lstm_mnist import inside
from lstm_mnist.better import networks
from lstm_mnist.bigger.export import export, predict_folder
from lstm_mnist.drawing import load_drawn_digits, rasterise

HAS_ONNX = all(importlib.util.find_spec(name) for name in ("tf2onnx", "onnx", "onnxruntime"))
NEEDS_ONNX = pytest.mark.skipif(not HAS_ONNX, reason="the extra onnx is not installed")
KINDS = ["model.keras", "saved_model", pytest.param("model.onnx", marks=NEEDS_ONNX)]

#: reads the formats as another program would, in a process of its own
READER = Path(__file__).parent / "programs" / "read_exported.py"


@pytest.fixture(scope="module")
def model():
    return lstm_mnist.load_pretrained()


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    """Each kind, exported once."""
    folder, made = tmp_path_factory.mktemp("exported"), {}

    def path(kind):
        if kind not in made:
            made[kind] = export(model, folder / kind)
        return made[kind]

    return path


@pytest.fixture(scope="module")
def logits(model):
    """What the network itself says to the 10,000 test images."""
    return model.predict(lstm_mnist.load_mnist().test.images, batch_size=1000, verbose=0)


@pytest.fixture(scope="module")
def read(exported, tmp_path_factory):
    """The folder in which a fresh process leaves the logits that it reads from each kind, ``<kind>.npy``."""
    folder = tmp_path_factory.mktemp("read")
    np.save(folder / "images.npy", lstm_mnist.load_mnist().test.images)
    paths = [exported("saved_model"), exported("model.keras")]
    if HAS_ONNX:
        paths.insert(0, exported("model.onnx"))
    child = subprocess.run([sys.executable, READER, folder, *paths], capture_output=True, text=True, timeout=300)
    assert child.returncode == 0, child.stderr
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_a_fresh_process_reads_the_same_10_000_answers(logits, read, kind):
    theirs = np.load(read / f"{kind}.npy")
    np.testing.assert_array_equal(theirs.argmax(axis=1), logits.argmax(axis=1))
    np.testing.assert_allclose(theirs, logits, atol=1e-4)


def test_an_export_has_plain_rows_and_the_network_stays_as_it_was(tmp_path):
    network = lstm_mnist.LSTMClassifier(4)
    saved = tf.saved_model.load(str(export(network, tmp_path / "saved", time_steps=2)))
    graph = saved.signatures["serving_default"].graph.as_graph_def()
    operations = {node.op for function in graph.library.function for node in function.node_def}
    assert "MatMul" in operations
    assert "BlockLSTM" not in operations
    assert network.lstm.implementation == "fast"


def test_an_export_replaces_the_older_one_and_leaves_nothing_beside_it(model, tmp_path):
    for network in (lstm_mnist.load_pretrained("quick"), model):
        export(network, tmp_path / "model.keras")
    images = lstm_mnist.load_mnist().test.images[:10]
    logits = keras.saving.load_model(tmp_path / "model.keras").predict(images, verbose=0)
    np.testing.assert_allclose(logits, model.predict(images, verbose=0), atol=1e-5)
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


def test_an_export_cut_off_leaves_the_older_one_and_nothing_beside_it(model, tmp_path, monkeypatch):
    path = export(model, tmp_path / "model.keras")
    whole = path.read_bytes()

    def save(path):
        path.write_text("half of a model")
        raise OSError("no space left on device")

    monkeypatch.setattr(model, "save", save)
    with pytest.raises(OSError, match=r"model\.keras cannot be written \(no space left"):
        export(model, path)
    assert [file.name for file in tmp_path.iterdir()] == ["model.keras"]
    assert path.read_bytes() == whole


def test_unusable_paths_are_named(model, tmp_path):
    (tmp_path / "diary.txt").write_text("private")
    for path in (tmp_path / "diary.txt" / "model.keras", tmp_path / "diary.txt" / "saved"):
        with pytest.raises(OSError, match="cannot be written"):
            export(model, path)
    with pytest.raises(ValueError, match="a folder with other things in it"):
        export(model, tmp_path)
    for name in ("model.h5", "model.tflite", "model.ONNX"):
        with pytest.raises(ValueError, match=rf"{name} ends in .*: end it in \.keras or \.onnx, or leave"):
            export(model, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["diary.txt"]


def test_a_folder_replaces_neither_a_file_nor_a_saved_model_with_notes_beside_it(tmp_path):
    model = lstm_mnist.LSTMClassifier(4)
    (tmp_path / "digits").write_text("private")
    with pytest.raises(OSError, match="digits cannot be written"):
        export(model, tmp_path / "digits")
    assert (tmp_path / "digits").read_text() == "private"
    folder = export(model, tmp_path / "models" / "1", time_steps=2)
    export(model, folder, time_steps=2)
    (folder / "notes.txt").write_text("private")
    with pytest.raises(ValueError, match="a folder with other things in it"):
        export(model, folder)
    assert (folder / "notes.txt").read_text() == "private"


def test_what_is_no_network_of_the_package_is_named(model, tmp_path):
    for other in (tmp_path / "model.keras", keras.Sequential([keras.layers.Dense(2)]), None):
        with pytest.raises(TypeError, match=f"model is of type {type(other).__name__}: give a network"):
            export(other, tmp_path / "model.keras")


def test_every_network_that_is_exported_for_keras_can_be_read_again(tmp_path):
    images = np.zeros((2, 28, 28), np.uint8)
    for kind in (inside.OneTanhClassifier, inside.EveryRowClassifier):
        model = kind(num_hidden=4)
        again = keras.saving.load_model(export(model, tmp_path / "model.keras"))
        np.testing.assert_allclose(again(images), model(images), atol=1e-5)
    others = inside.OpenGateClassifier("f", num_hidden=4), inside.RNNClassifier(4), networks.logistic_regression()
    for model in others:
        with pytest.raises(TypeError, match=f"a {type(model).__name__} cannot be read again from a .keras file"):
            export(model, tmp_path / "other.keras")
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


def test_a_network_in_16_bits_is_exported_as_it_is(tmp_path):
    model, images = lstm_mnist.LSTMClassifier(4, dtype="mixed_float16"), np.zeros((2, 28, 28), np.uint8)
    logits = keras.saving.load_model(export(model, tmp_path / "model.keras"))(images)
    assert logits.dtype == np.float16
    np.testing.assert_allclose(np.float32(logits), np.float32(model(images)), atol=1e-3)


def test_a_missing_extra_is_named_with_its_remedy(model, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"ONNX needs tf2onnx, .*pip install -e '\.\[onnx\]' in the clone"):
        export(model, tmp_path / "model.onnx")


@pytest.fixture
def pictures(tmp_path):
    """Ten digits on white paper, one MNIST image, a blank sheet and something that is no picture."""
    for drawn in load_drawn_digits():
        if drawn.way == "plain":
            Image.fromarray(255 - rasterise(drawn.strokes, drawn.pen_width)).save(tmp_path / f"{drawn.digit}.png")
    Image.fromarray(lstm_mnist.load_mnist().test.images[0]).save(tmp_path / "mnist 7.PNG")
    Image.fromarray(np.full((50, 50), 255, np.uint8)).save(tmp_path / "paper.png")
    (tmp_path / "page.jpg").write_text("<html>")
    (tmp_path / "notes.txt").write_text("not looked at")
    return tmp_path


def test_a_folder_of_pictures_is_answered(model, pictures):
    rows = predict_folder(model, pictures)
    assert [row[:2] for row in rows[:11]] == [*((f"{k}.png", k) for k in range(10)), ("mnist 7.PNG", 7)]
    assert all(0.1 < row[2] <= 1 for row in rows[:11])
    (page, paper) = rows[11:]
    assert page[:2] == ("page.jpg", None)
    assert "no picture that can be read" in page[2]
    assert paper[:2] == ("paper.png", None)
    assert "there is no ink on it" in paper[2]


def test_a_folder_without_pictures_is_named(model, tmp_path):
    for folder, message in ((tmp_path, "holds no PNG or JPEG file"), (tmp_path / "missing", "missing is not there")):
        with pytest.raises(lstm_mnist.DataError, match=message):
            predict_folder(model, folder)


def test_one_picture_is_read_too(model, pictures):
    ((name, digit, belief),) = predict_folder(model, pictures / "3.png")
    assert (name, digit) == ("3.png", 3)
    assert 0.1 < belief <= 1


def test_the_command_prints_a_line_a_picture_and_fails_for_what_it_cannot_read(pictures):
    command = [sys.executable, "-m", "lstm_mnist", "predict", str(pictures)]
    child = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert child.returncode == 1
    lines = child.stdout.splitlines()
    assert lines[0] == "file,digit,probability"
    assert [line.split(",")[:2] for line in lines[1:]] == [
        *([f"{k}.png", str(k)] for k in range(10)),
        ["mnist 7.PNG", "7"],
    ]
    assert "paper.png: the drawing is empty" in child.stderr
