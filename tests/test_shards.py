import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lstm_mnist
from lstm_mnist.better.distortions import on_changed
from lstm_mnist.bigger.shards import Shards, write_shards


@pytest.fixture(scope="module")
def split():
    train = lstm_mnist.load_mnist().train
    return lstm_mnist.Split(train.images[:1000], train.labels[:1000])


@pytest.fixture
def shards(split, tmp_path):
    return write_shards(tmp_path / "shards", batches(split, 300), shards=3)


def batches(split, size):
    for start in range(0, len(split), size):
        yield split.images[start : start + size], split.labels[start : start + size]


def small_model():
    keras.utils.set_random_seed(0)
    model = lstm_mnist.LSTMClassifier(8)
    model.lstm.implementation = "plain"
    return model


def read(shards, count, batch_size, seed=0):
    stream = shards.stream(batch_size, seed).take(count).as_numpy_iterator()
    images, labels = zip(*stream, strict=True)
    return np.concatenate(images), np.concatenate(labels)


def test_every_digit_comes_once_each_time_through_with_its_label(split, shards):
    assert len(shards) == 1000
    assert [file["digits"] for file in shards.files.values()] == [334, 333, 333]
    images, labels = read(Shards(shards.folder, buffer=50), 20, batch_size=100)
    assert images.dtype == labels.dtype == np.uint8
    assert images.shape == (2000, 28, 28)
    written = sorted(label.tobytes() + image.tobytes() for image, label in zip(split.images, split.labels, strict=True))
    for half in (slice(1000), slice(1000, 2000)):
        found = sorted(
            label.tobytes() + image.tobytes() for image, label in zip(images[half], labels[half], strict=True)
        )
        assert found == written
    assert not np.array_equal(labels[:1000], labels[1000:])


def test_same_seed_same_order(shards):
    orders = [read(Shards(shards.folder, buffer=300), 10, 100, seed)[1] for seed in (1, 1, 2)]
    np.testing.assert_array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[0], orders[2])


def test_so_many_digits_are_shuffled_as_the_buffer_holds(split, tmp_path):
    write_shards(tmp_path / "one", batches(split, 1000), shards=1)
    for buffer, changed in ((1, []), (500, [0, 1])):
        labels = read(Shards(tmp_path / "one", buffer), 2, batch_size=500)[1].reshape(2, 500)
        written = split.labels.reshape(2, 500)
        assert [half for half in (0, 1) if not np.array_equal(labels[half], written[half])] == changed
        np.testing.assert_array_equal(np.sort(labels), np.sort(written))


def test_batches_asked_for_in_any_order_are_those_of_the_stream(shards):
    images, labels = read(shards, 9, 100, seed=4)
    images, labels = images.reshape(9, 100, 28, 28), labels.reshape(9, 100)
    for start, stop in ((0, 2), (2, 5), (7, 9), (1, 3), (3, 4)):
        found = shards.batches(start, stop, 100, 4)
        np.testing.assert_array_equal(found[0], images[start:stop])
        np.testing.assert_array_equal(found[1], labels[start:stop])
    np.testing.assert_array_equal(shards.batches(0, 1, 100, 4)[1], labels[:1])
    assert not np.array_equal(shards.batches(1, 2, 100, 5)[1], labels[1:2])
    assert shards.batches(1, 2, 50, 5)[1].shape == (1, 50)


def test_batches_asked_for_again_after_ctrl_c_are_the_same(shards, monkeypatch):
    presses = iter([0, 0, 0, 0, 1])

    def interrupted(batches):
        for batch in batches:
            if next(presses, 0):
                raise KeyboardInterrupt
            yield batch

    stream = shards.stream
    shards.batches(0, 2, 50, seed=0)
    monkeypatch.setattr(
        shards, "stream", lambda *words: SimpleNamespace(skip=lambda n: interrupted(stream(*words).skip(n)))
    )
    shards.batches(1, 3, 50, seed=0)
    with pytest.raises(KeyboardInterrupt):
        shards.batches(3, 9, 50, seed=0)
    monkeypatch.undo()
    for again, expected in zip(shards.batches(3, 9, 50, 0), Shards(shards.folder).batches(3, 9, 50, 0), strict=True):
        np.testing.assert_array_equal(again, expected)


def test_no_batches_are_nothing_to_ask_for(shards):
    with pytest.raises(ValueError, match="stop is 3: use a whole number"):
        shards.batches(3, 3, 16, seed=0)


def test_a_stream_trains_as_the_same_batches_from_memory(split, shards):
    images, labels = read(shards, 6, batch_size=50, seed=4)

    class InThatOrder(lstm_mnist.Split):
        def batch_indices(self, n, batch_size=128, seed=0):
            return np.arange(n * batch_size, (n + 1) * batch_size)

    weights, histories = [], []
    for data in (shards, InThatOrder(images, labels)):
        model, compute = small_model(), on_changed(lambda images, n: images)
        watchers = [lstm_mnist.Printing(2)]
        histories.append(lstm_mnist.train(model, data, 6, 50, seed=4, compute=compute, watchers=watchers))
        weights.append(model.get_weights())
    np.testing.assert_array_equal(*map(np.stack, histories))
    for ours, theirs in zip(*weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_run_on_shards_that_was_cut_off_goes_on_with_the_same_digits_alone(split, shards, tmp_path):
    untroubled, resumed = small_model(), small_model()
    expected = lstm_mnist.train(untroubled, shards, 6, 50, watchers=())
    watchers = [lstm_mnist.Checkpoints(tmp_path / "run")]
    lstm_mnist.train(small_model(), shards, 4, 50, watchers=watchers)
    history = lstm_mnist.train(resumed, shards, 6, 50, watchers=watchers)
    np.testing.assert_array_equal(np.stack(history), np.stack(expected))
    shifted = [(images, np.roll(labels, 1)) for images, labels in batches(split, 300)]
    others = (write_shards(tmp_path / "other", shifted, shards=3), Shards(shards.folder, buffer=50))
    for other in others:
        with pytest.raises(ValueError, match="run with data"):
            lstm_mnist.train(small_model(), other, 8, 50, watchers=watchers)


PROGRAMS = Path(__file__).parent / "programs"
MEMORY = PROGRAMS / "stream_memory.py"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to tell the peak memory")
def test_ten_times_the_digits_need_no_more_memory(tmp_path):
    """20,000 and 200,000 digits, 16 and 157 MB; in a process of its own, whose peak nothing else raises.

    glibc is told to give back at once what is freed, which it otherwise may keep (100 MB where oneDNN is off).
    """
    command, environment = [sys.executable, MEMORY, tmp_path], os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}
    child = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert child.returncode == 0, child.stderr
    _, small, large = (line.split() for line in child.stdout.splitlines())
    assert [small[:2], large[:2]] == [["20000", "50"], ["200000", "500"]]
    assert float(large[2]) - float(small[2]) < 40


def test_a_missing_shard_is_named(shards):
    (shards.folder / "digits-00001-of-00003.tfrecord").unlink()
    with pytest.raises(lstm_mnist.DataError, match=r"digits-00001-of-00003\.tfrecord is missing, one of 3 shards"):
        Shards(shards.folder)


@pytest.mark.parametrize("damage", [lambda content: content[:-100], lambda content: b"<html>not found</html>"])
def test_a_shard_of_another_size_is_named(shards, damage):
    path = shards.folder / "digits-00002-of-00003.tfrecord"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(lstm_mnist.DataError, match=r"digits-00002-of-00003\.tfrecord has \d+ bytes instead of"):
        Shards(shards.folder)


def test_a_damaged_shard_is_named_when_training_meets_it(shards):
    path = shards.folder / "digits-00001-of-00003.tfrecord"
    content = bytearray(path.read_bytes())
    content[-400] ^= 1
    path.write_bytes(content)
    with pytest.raises(lstm_mnist.DataError, match=r"digits-00001-of-00003\.tfrecord is damaged \(.*corrupted"):
        lstm_mnist.train(small_model(), Shards(shards.folder, buffer=10), 20, 100, watchers=())


def test_a_shard_lost_in_mid_training_is_named(shards):
    (shards.folder / "digits-00000-of-00003.tfrecord").unlink()
    with pytest.raises(lstm_mnist.DataError, match=r"digits-00000-of-00003\.tfrecord is missing"):
        lstm_mnist.train(small_model(), shards, 20, 100, watchers=())


def test_a_copy_in_its_siblings_place_or_a_file_of_another_writing_is_named(split, shards, tmp_path):
    other = write_shards(tmp_path / "other", [(255 - split.images, split.labels)], shards=3)
    name = "digits-00002-of-00003.tfrecord"
    for stranger in (shards.folder / "digits-00001-of-00003.tfrecord", other.folder / name):
        shutil.copy(stranger, shards.folder / name)
        with pytest.raises(lstm_mnist.DataError, match=f"{name} does not begin with the digits written there"):
            Shards(shards.folder)


def test_an_index_edited_by_hand_is_refused(shards):
    path = shards.folder / "shards.json"
    index = json.loads(path.read_text())
    elsewhere = {f"../{name}": file for name, file in index["files"].items()}
    for key, value in {"shape": [14, 56], "total": 1001, "largest_label": 3, "files": elsewhere}.items():
        path.write_text(json.dumps(index | {key: value}))
        with pytest.raises(lstm_mnist.DataError, match=r"shards\.json cannot be read .*changed after the writing"):
            Shards(shards.folder)


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_any_changed_byte_is_refused_or_changes_nothing(tmp_path_factory, data):
    images = np.random.default_rng(0).integers(0, 256, (12, 3, 4), np.uint8)
    folder = tmp_path_factory.mktemp("any") / "shards"
    write_shards(folder, [(images, np.arange(12))], shards=2)
    path = data.draw(st.sampled_from(sorted(folder.iterdir())))
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        shards = Shards(folder)
        shards.check()
    except lstm_mnist.DataError:
        return
    found, labels = read(shards, 1, batch_size=12)
    np.testing.assert_array_equal(found[np.argsort(labels)], images)
    np.testing.assert_array_equal(np.sort(labels), np.arange(12))


@settings(max_examples=8, deadline=None, derandomize=True, database=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(1, 7), st.integers(1, 30), st.integers(0, 99))
def test_every_digit_comes_once_however_it_is_dealt(tmp_path_factory, sizes, number, buffer, seed):
    images = np.arange(sum(sizes) * 4, dtype=np.uint8).reshape(-1, 2, 2)
    labels = np.arange(len(images)) % 256
    cuts = np.cumsum(sizes)[:-1]
    folder = tmp_path_factory.mktemp("dealt") / "shards"
    write_shards(folder, list(zip(np.split(images, cuts), np.split(labels, cuts), strict=True)), number)
    found, answers = read(Shards(folder, buffer), 1, batch_size=len(images), seed=seed)
    np.testing.assert_array_equal(found[np.argsort(answers)], images)
    np.testing.assert_array_equal(np.sort(answers), labels)


@pytest.mark.parametrize("content", [None, "", "[]", "{}", json.dumps({"version": 2, "digits": 3})])
def test_what_is_no_folder_of_shards_is_refused(shards, content):
    (shards.folder / "shards.json").unlink()
    if content is not None:
        (shards.folder / "shards.json").write_text(content)
    with pytest.raises(
        lstm_mnist.DataError, match=r"shards\.json cannot be read .*write the shards again, into another folder"
    ):
        Shards(shards.folder)


def cases_of_impossible_writing(split):
    pair = (split.images[:5], split.labels[:5])
    return [
        ({"shards": 0}, [pair], "shards is 0"),
        ({"shards": 100_000}, [pair], "shards is 100000"),
        ({}, [], "no batch to write"),
        ({}, None, "batches hold a NoneType: give pairs"),
        ({}, split, "batches hold a Split: give pairs"),
        ({}, pair, "batches hold a ndarray: give pairs"),
        ({}, [pair, pair[0]], "batches hold a ndarray: give pairs"),
        ({}, [(split.images[:5], split.labels[:4])], r"labels have shape \(4,\)"),
        ({}, [(split.images[:2], [0, 299])], r"labels lie in 0\.\.299: expected 0\.\.255"),
        ({}, [(split.images[:5] / 255, split.labels[:5])], "a batch holds float64"),
        ({}, [pair, (split.images[:5, :, :20], split.labels[:5])], r"\(28, 20\), not uint8 \(28, 28\)"),
    ]


@pytest.mark.parametrize("case", range(11))
def test_impossible_writing_is_named_and_leaves_nothing(split, tmp_path, case):
    settings, given, message = cases_of_impossible_writing(split)[case]
    with pytest.raises((TypeError, ValueError), match=message):
        write_shards(tmp_path / "new", given, **settings)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there_is_left_alone(split, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "diary.txt").write_text("private")
    pair = (split.images[:5], split.labels[:5])
    with pytest.raises(ValueError, match="full is there already: choose another folder"):
        write_shards(tmp_path / "full", [pair])
    with pytest.raises(OSError, match="cannot be written"):
        write_shards(tmp_path / "full" / "diary.txt" / "x", [pair])
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "diary.txt"]


def test_a_writing_that_is_cut_off_leaves_nothing(split, tmp_path):
    def cut_off():
        yield split.images[:5], split.labels[:5]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shards(tmp_path / "new", cut_off())
    assert not list(tmp_path.iterdir())


def test_impossible_training_is_named(shards):
    with pytest.raises(ValueError, match="rows of 28 pixels, this model reads 14"):
        lstm_mnist.train(lstm_mnist.LSTMClassifier(8, num_features=14), shards, 5)
    with pytest.raises(ValueError, match=r"labels lie in 9\.\.9: expected 0\.\.4"):
        lstm_mnist.train(lstm_mnist.LSTMClassifier(8, num_classes=5), shards, 5)
    with pytest.raises(ValueError, match="buffer is 0"):
        Shards(shards.folder, buffer=0)
