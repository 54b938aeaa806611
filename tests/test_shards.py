import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import lstm_mnist
from lstm_mnist.better.distortions import on_changed
from lstm_mnist.bigger.shards import Shards, train_on_stream, write_shards


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


def read(shards, count, **settings):
    images, labels = zip(*(batch for batch in shards.stream(**settings).take(count).as_numpy_iterator()), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def test_every_digit_comes_once_each_time_through_with_its_label(split, shards):
    assert len(shards) == 1000
    assert [file["digits"] for file in shards.files.values()] == [334, 333, 333]
    images, labels = read(shards, 20, batch_size=100, buffer=50)
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
    orders = [read(shards, 10, batch_size=100, seed=seed, buffer=300)[1] for seed in (1, 1, 2)]
    np.testing.assert_array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[0], orders[2])


def test_so_many_digits_are_shuffled_as_the_buffer_holds(split, tmp_path):
    shards = write_shards(tmp_path / "one", batches(split, 1000), shards=1)
    for buffer, changed in ((1, []), (500, [0, 1])):
        labels = read(shards, 2, batch_size=500, buffer=buffer)[1].reshape(2, 500)
        written = split.labels.reshape(2, 500)
        assert [half for half in (0, 1) if not np.array_equal(labels[half], written[half])] == changed
        np.testing.assert_array_equal(np.sort(labels), np.sort(written))


def test_the_files_are_alike_in_size(shards):
    sizes = [(shards.folder / name).stat().st_size for name in shards.files]
    assert max(sizes) - min(sizes) < 1000
    shards.check()


def test_a_stream_trains_as_the_same_batches_from_memory(split, shards):
    settings = {"batch_size": 50, "seed": 4, "buffer": 100}
    images, labels = read(shards, 6, **settings)

    class InThatOrder(lstm_mnist.Split):
        def batch_indices(self, n, batch_size=128, seed=0):
            return np.arange(n * batch_size, (n + 1) * batch_size)

    streamed, in_memory = small_model(), small_model()
    adams = [keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9) for _ in range(2)]
    history = train_on_stream(
        streamed, shards, 6, optimizer=adams[0], compute=on_changed(lambda images, n: images), **settings
    )
    expected = lstm_mnist.train(in_memory, InThatOrder(images, labels), 6, 50, optimizer=adams[1], watchers=())
    np.testing.assert_array_equal(np.stack(history), np.stack(expected))
    for ours, theirs in zip(streamed.get_weights(), in_memory.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


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
    assert [small[:2], large[:2]] == [["20000", "20"], ["200000", "200"]]
    assert float(large[2]) - float(small[2]) < 40


def test_a_missing_shard_is_named(shards):
    (shards.folder / "digits-00001-of-00003.tfrecord").unlink()
    with pytest.raises(lstm_mnist.DataError, match=r"digits-00001-of-00003\.tfrecord is missing, one of 3 shards"):
        Shards(shards.folder)


def test_a_shard_cut_short_is_named(shards):
    path = shards.folder / "digits-00002-of-00003.tfrecord"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(lstm_mnist.DataError, match=r"digits-00002-of-00003\.tfrecord has \d+ bytes instead of"):
        Shards(shards.folder)


def test_a_damaged_shard_is_named_when_training_meets_it(shards):
    path = shards.folder / "digits-00001-of-00003.tfrecord"
    content = bytearray(path.read_bytes())
    content[-400] ^= 1
    path.write_bytes(content)
    with pytest.raises(lstm_mnist.DataError, match=r"digits-00001-of-00003\.tfrecord is damaged \(.*corrupted"):
        train_on_stream(small_model(), Shards(shards.folder), 20, batch_size=100, buffer=10)


def test_a_shard_lost_in_mid_training_is_named(shards):
    (shards.folder / "digits-00000-of-00003.tfrecord").unlink()
    with pytest.raises(lstm_mnist.DataError, match=r"digits-00000-of-00003\.tfrecord is missing"):
        train_on_stream(small_model(), shards, 20, batch_size=100, buffer=10)


def test_shards_of_another_writing_are_told_apart(split, shards, tmp_path):
    other = write_shards(tmp_path / "other", batches(split, 300), shards=3)
    name = "digits-00000-of-00003.tfrecord"
    shutil.copy(other.folder / name, shards.folder / name)
    with pytest.raises(lstm_mnist.DataError, match=rf"{name} does not belong here, its header says set \w+ and not"):
        Shards(shards.folder)


def test_a_copy_in_its_siblings_place_is_told_apart(shards):
    shutil.copy(shards.folder / "digits-00001-of-00003.tfrecord", shards.folder / "digits-00002-of-00003.tfrecord")
    with pytest.raises(lstm_mnist.DataError, match=r"digits-00002-of-00003.*its header says shard 1 and not 2"):
        Shards(shards.folder)


EDITS = {
    "version": [1, 3, None, "2"],
    "num_classes": [5, 11, 300, "10", None],
    "shape": [[28, 27], [784], [28, 28, 1], 28, [0, 0], [28.5, 28], None, "ab"],
    "shards": [2, 4, 0, 10**9, "3", None],
    "set": ["", "0123456789abcdef", None],
    "digits": [[334, 333, 334], [334, 333], [334, 333, 333, 0], [1000, 0, 0], [-1, 333, 333], ["334", 333, 333], 3, {}],
    "files": [{"../secret": {"digits": 1}}],
}


@pytest.mark.parametrize("key", EDITS)
def test_an_edited_index_is_refused(shards, key):
    index = json.loads((shards.folder / "shards.json").read_text())
    for value in EDITS[key]:
        (shards.folder / "shards.json").write_text(json.dumps(index | {key: value}))
        with pytest.raises(lstm_mnist.DataError, match="write the shards again"):
            Shards(shards.folder)


@pytest.mark.parametrize("edit", [sorted, reversed])
def test_counts_in_another_order_are_refused(shards, edit):
    index = json.loads((shards.folder / "shards.json").read_text())
    index["digits"] = list(edit(index["digits"]))
    (shards.folder / "shards.json").write_text(json.dumps(index))
    with pytest.raises(lstm_mnist.DataError, match=r"tfrecord has \d+ bytes instead of \d+"):
        Shards(shards.folder)


def test_a_folder_in_a_shards_place_is_named(shards):
    path = shards.folder / "digits-00000-of-00003.tfrecord"
    path.unlink()
    path.mkdir()
    with pytest.raises(lstm_mnist.DataError, match=r"digits-00000-of-00003\.tfrecord opens with no header"):
        Shards(shards.folder)


def test_what_is_no_shard_is_named(shards):
    path = shards.folder / "digits-00000-of-00003.tfrecord"
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(lstm_mnist.DataError, match=r"digits-00000-of-00003\.tfrecord opens with no header"):
        Shards(shards.folder)


@pytest.mark.parametrize("content", [None, "", "[]", "{}", json.dumps({"version": 2, "digits": 3})])
def test_a_folder_whose_writing_was_cut_off_is_refused(shards, content):
    (shards.folder / "shards.json").unlink()
    if content is not None:
        (shards.folder / "shards.json").write_text(content)
    with pytest.raises(
        lstm_mnist.DataError, match=r"shards\.json cannot be read .*write the shards again, into an empty folder"
    ):
        Shards(shards.folder)


def cases_of_impossible_writing(split):
    pair = (split.images[:5], split.labels[:5])
    return [
        ({"shards": 0}, [pair], "shards is 0"),
        ({"shards": 100_000}, [pair], "shards is 100000"),
        ({}, [], "no batch to write"),
        ({}, None, "batches are a NoneType: give pairs"),
        ({}, split, "batches are a Split: give pairs"),
        ({}, pair, "batches hold a ndarray: give pairs"),
        ({}, [pair, pair[0]], "batches hold a ndarray: give pairs"),
        ({}, [(split.images[:5], split.labels[:4])], r"labels have shape \(4,\)"),
        ({"num_classes": 2}, [pair], "labels lie in"),
        ({"num_classes": 300}, [(split.images[:2], [0, 299])], "num_classes is 300: use a whole number from 1 to 256"),
        ({}, [(split.images[:5] / 255, split.labels[:5])], "a batch holds float64"),
        ({}, [pair, (split.images[:5, :, :20], split.labels[:5])], r"\(28, 20\), not uint8 \[28, 28\]"),
    ]


@pytest.mark.parametrize("case", range(12))
def test_impossible_writing_is_named_and_leaves_nothing(split, tmp_path, case):
    settings, given, message = cases_of_impossible_writing(split)[case]
    with pytest.raises((TypeError, ValueError), match=message):
        write_shards(tmp_path / "new", given, **settings)
    assert not list(tmp_path.iterdir())


def test_a_folder_with_other_things_in_it_is_left_alone(split, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "diary.txt").write_text("private")
    pair = (split.images[:5], split.labels[:5])
    with pytest.raises(ValueError, match="full is not empty"):
        write_shards(tmp_path / "full", [pair])
    for folder in (tmp_path / "full" / "diary.txt", tmp_path / "full" / "diary.txt" / "x"):
        with pytest.raises(OSError, match="cannot be written"):
            write_shards(folder, [pair])
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "diary.txt"]


def test_what_a_file_manager_hides_in_an_empty_folder_does_not_count(split, tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / ".DS_Store").touch()
    assert len(write_shards(tmp_path / "new", batches(split, 300))) == 1000


def test_a_writing_that_is_cut_off_leaves_nothing(split, tmp_path):
    def cut_off():
        yield split.images[:5], split.labels[:5]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shards(tmp_path / "new", cut_off())
    assert not list(tmp_path.iterdir())


def test_impossible_training_is_named(shards):
    with pytest.raises(ValueError, match="steps is 0"):
        train_on_stream(small_model(), shards, 0)
    with pytest.raises(ValueError, match="rows of 28 pixels, this model reads 14"):
        train_on_stream(lstm_mnist.LSTMClassifier(8, num_features=14), shards, 5)
    with pytest.raises(ValueError, match=r"labels lie in 9\.\.9: expected 0\.\.4"):
        train_on_stream(lstm_mnist.LSTMClassifier(8, num_classes=5), shards, 5)
    with pytest.raises(TypeError, match=r"shards are a str: give those of write_shards, or Shards\(folder\)"):
        train_on_stream(small_model(), str(shards.folder), 5)
    with pytest.raises(TypeError, match="optimizer is 'adam'"):
        train_on_stream(small_model(), shards, 5, optimizer="adam")
    with pytest.raises(ValueError, match="buffer is 0"):
        shards.stream(buffer=0)
