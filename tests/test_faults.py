"""What goes wrong outside: processes killed, disks full, files damaged. Nothing may be lost or believed in silence.

The suite runs a sample; ``make faults`` (``LONG_TESTS=1``) kills 20 times and flips 200 bits.
"""

import contextlib
import functools
import gzip
import io
import os
import struct
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import lstm_mnist
from lstm_mnist import data, drawing, pretrained
from lstm_mnist.bigger import shards

LONG = os.environ.get("LONG_TESTS") == "1"
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL, fork or file size limits")


@pytest.fixture(scope="module")
def split():
    test = lstm_mnist.load_mnist().test
    return lstm_mnist.Split(test.images[:200], test.labels[:200])


def small_model(seed=0):
    keras.utils.set_random_seed(seed)
    return lstm_mnist.LSTMClassifier(num_hidden=4)


def trained(split, steps, folder=None, seed=0):
    model = small_model(seed)
    watchers = [lstm_mnist.Checkpoints(folder, every=2)] if folder else ()
    history = lstm_mnist.train(model, split, steps, 8, watchers=watchers)
    return [*model.get_weights(), *history]


def assert_same(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


# Killed

PROGRAMS = Path(__file__).parent / "programs"
KILLER = PROGRAMS / "killer.py"


@posix
def test_a_run_killed_again_and_again_ends_with_the_same_weights(split, tmp_path):
    kills = 20 if LONG else 3
    command = [sys.executable, KILLER, str(tmp_path / "run"), str(kills), str(tmp_path / "result.npz")]
    killed = subprocess.run(command, env=os.environ | {"LSTM_MNIST_PROGRESS": "0"}, capture_output=True, text=True)
    assert killed.returncode == 0, killed.stderr
    reached = [int(line) for line in killed.stdout.split()]
    assert len(reached) == kills
    assert reached[-1] > reached[0]
    with np.load(tmp_path / "result.npz") as result:
        assert_same(result.values(), trained(split, reached[-1] + 20))


# No room


@contextlib.contextmanager
def room_for(size):
    """No file may grow over ``size`` bytes, as on a disk that is nearly full."""
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@posix
@pytest.mark.parametrize("size", [0, 1000, 10_000] if LONG else [1000])
def test_a_full_disk_keeps_the_last_checkpoint(split, tmp_path, size):
    folder = tmp_path / "run"
    trained(split, 4, folder)
    with room_for(size), pytest.raises(OSError, match=r"run\.npz cannot be written .*too large"):
        trained(split, 8, folder)
    with np.load(folder / "run.npz") as kept:
        assert len(kept["history"]) == 4
    assert_same(trained(split, 8, folder, seed=9), trained(split, 8))


@posix
@pytest.mark.parametrize("size", [0, 1000, 10_000])
def test_a_full_disk_keeps_the_old_weights_file(tmp_path, size):
    model = lstm_mnist.LSTMClassifier(32)
    path = tmp_path / "mine.npz"
    lstm_mnist.save_pretrained(model, path, {})
    before = path.read_bytes()
    with room_for(size), pytest.raises(OSError, match="too large"):
        lstm_mnist.save_pretrained(model, path, {})
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["mine.npz"]


@posix
def test_a_full_disk_leaves_no_shards(split, tmp_path):
    with room_for(20_000), pytest.raises(OSError, match=r"new cannot be written .*too large.*make room"):
        shards.write_shards(tmp_path / "new", [(split.images, split.labels)], 2)
    assert not list(tmp_path.iterdir())


# Damaged


def truncated(raw, block):
    return [raw[:end] for end in range(0, len(raw), block)]


def flipped(raw, number, seed=0):
    """Copies of ``raw`` with one bit changed, in ``number`` places all over it."""
    rng = np.random.default_rng(seed)
    for place in np.linspace(0, len(raw) - 1, number, dtype=int):
        bad = bytearray(raw)
        bad[place] ^= 1 << rng.integers(8)
        yield bytes(bad)


def zipped(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def refused(path, contents, read, original):
    """How many contents ``read`` refuses with a ``DataError`` that names the file; the others must change nothing.

    (A bit of a file's date, say, can be changed without harm.)
    """
    count = 0
    for content in contents:
        path.write_bytes(content)
        try:
            found = read()
        except lstm_mnist.DataError as error:
            count += path.stem in str(error)
        else:
            assert_same(found, original)
    return count


@pytest.fixture
def weights(tmp_path):
    """A copy of the shipped weights and a reader of them, which a test may damage."""
    path = tmp_path / "2019.npz"
    path.write_bytes((pretrained.WEIGHTS_FOLDER / "2019.npz").read_bytes())

    def read():
        recipe = lstm_mnist.pretrained_recipe(path)
        return [*lstm_mnist.load_pretrained(path).get_weights(), np.array(sorted(map(str, recipe.items())))]

    return path, read


def test_truncated_weights_are_refused(weights):
    path, read = weights
    original, cuts = read(), truncated(path.read_bytes(), 512)
    assert refused(path, cuts, read, original) == len(cuts) > 600


def test_weights_with_a_flipped_bit_are_refused_or_unchanged(weights):
    path, read = weights
    original = read()
    assert refused(path, flipped(path.read_bytes(), 200), read, original) >= 198


def npy(array):
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array))
    return file.getvalue()


def archive(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(f"{name}.npy", content)
    return file.getvalue()


def huge_header(shape):
    """An array file that announces ``shape`` and holds nothing."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return file.getvalue()


BAD_MEMBERS = {
    "a header that lies": {"kernel": huge_header((10**7, 10**7))},
    "a header of negative size": {"kernel": huge_header((28, -512))},
    "a pickle": {"kernel": b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (), }" + b" " * 60},
    "a scalar": {"kernel": npy(np.float32(1))},
    "text": {"kernel": npy(np.array(["28", "512"]))},
    "another byte order": {"kernel": npy(np.zeros((28, 512), ">f4"))},
    "no array": {"kernel": b"no array"},
    "nothing": {"kernel": b""},
    "infinity": {"output_bias": npy(np.full(10, np.inf, np.float32))},
    "a recipe without end": {"recipe": npy(np.array("[" * 100_000))},
    "a recipe that is a list": {"recipe": npy(np.array("[1, 2]"))},
    "a recipe that is a number": {"recipe": npy(np.array("1"))},
}


@pytest.mark.parametrize("damage", BAD_MEMBERS)
def test_weights_of_every_other_kind_are_refused(weights, damage):
    path, read = weights
    with zipfile.ZipFile(path) as good:
        members = {name.removesuffix(".npy"): good.read(name) for name in good.namelist()}
    assert refused(path, [archive(members)], read, read()) == 0
    assert refused(path, [archive(members | BAD_MEMBERS[damage])], read, None) == 1


@pytest.mark.parametrize("content", [b"", b"PK", b"<html>403</html>", b"\x80\x04K\x01.", b"\x00" * 1000])
def test_what_is_no_archive_is_refused(weights, content):
    path, read = weights
    assert refused(path, [content], read, None) == 1


def test_damaged_mnist_is_refused_or_unchanged(tmp_path):
    raw = data.MNIST_FILE.read_bytes()
    path = tmp_path / "mnist.npz"
    original = data.read_mnist(data.MNIST_FILE)
    read = functools.partial(data.read_mnist, path)
    cuts = truncated(raw, 65_536)
    assert refused(path, cuts, read, original) == len(cuts) > 170
    number = 200 if LONG else 10
    assert refused(path, flipped(raw, number), read, original) >= 0.9 * number


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.mark.parametrize("zipped", [False, True])
def test_damaged_idx_files_are_refused(tmp_path, zipped):
    images = lstm_mnist.load_mnist().test.images[:40]
    pack = gzip.compress if zipped else bytes
    for part in ("train", "t10k"):
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(idx(images))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(40, dtype=np.uint8) % 10))
    (tmp_path / "train-images-idx3-ubyte").unlink()
    path = tmp_path / ("train-images-idx3-ubyte" + ".gz" * zipped)
    good = pack(idx(images))

    def read():
        splits = lstm_mnist.load_idx(tmp_path, validation_size=5)
        return [split.images for split in splits]

    path.write_bytes(good)
    original, cuts = read(), truncated(good, 97)
    assert refused(path, cuts, read, original) == len(cuts)
    header = flipped(good[:16], 64)
    bad = flipped(good, 200) if zipped else (start + good[16:] for start in header)  # plain pixels have no checksum
    assert refused(path, bad, read, original) >= (190 if zipped else 64)
    lies = [struct.pack(">HBB3I", 0, 8, 3, *shape) for shape in ((2**32 - 1,) * 3, (40, 28, 29), (0, 28, 28))]
    assert refused(path, [pack(lie + good[16:]) for lie in lies], read, None) == 3


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif"])
def test_damaged_pictures_are_refused_or_read(tmp_path, kind):
    file = io.BytesIO()
    Image.fromarray(255 - lstm_mnist.load_mnist().test.images[0]).resize((112, 112)).save(file, kind)
    raw = file.getvalue()
    path = tmp_path / "photo.picture"
    for content in [*truncated(raw, 1 + len(raw) // 50), *flipped(raw, 100)]:
        path.write_bytes(content)
        with warnings.catch_warnings(), contextlib.suppress(lstm_mnist.DataError):
            warnings.simplefilter("ignore")
            assert drawing.read_picture(path).dtype == np.uint8


def test_a_damaged_checkpoint_is_refused_and_a_run_never_begins_anew_in_silence(split, tmp_path):
    folder = tmp_path / "run"
    trained(split, 4, folder)
    model = small_model()
    optimizer = keras.optimizers.Adam(0.001)
    optimizer.build(model.trainable_variables)

    def read():
        run = lstm_mnist.training.Run(model, split, 4, 8, 0, optimizer, lstm_mnist.compute_gradients)
        lstm_mnist.Checkpoints(folder).read(run)
        variables = [variable.numpy() for variable in optimizer.variables]
        return [run.done, run.measured, *model.get_weights(), *variables]

    original, path = read(), folder / "run.npz"
    raw = path.read_bytes()
    for content in [*truncated(raw, 1 + len(raw) // 6), *flipped(raw, 40 if LONG else 12)]:
        path.write_bytes(content)
        with contextlib.suppress(ValueError):  # DataError, or another run's settings
            assert_same(read(), original)
    for content in (b"{", b"1", b"", zipped(settings="{}")):
        path.write_bytes(content)
        with pytest.raises(lstm_mnist.DataError, match=r"run\.npz cannot be read"):
            trained(split, 8, folder)
