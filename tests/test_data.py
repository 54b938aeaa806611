import gzip
import hashlib
import struct

import numpy as np
import pytest
import tensorflow as tf

import lstm_mnist
from lstm_mnist import data
from lstm_mnist.checks import check_images


@pytest.fixture(scope="module")
def mnist():
    return lstm_mnist.load_mnist()


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def idx_folder(tmp_path, mnist):
    """A small data set in the four files, one of them gzipped."""
    images, labels = mnist.test.images[:50], mnist.test.labels[:50]
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(images[:40]))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels[:40])))
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx(images[40:]))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(labels[40:]))
    return tmp_path


def test_splits_have_the_sizes_and_types_of_2019(mnist):
    assert [len(split) for split in mnist] == [55_000, 5_000, 10_000]
    for split in mnist:
        assert split.images.shape == (len(split), 28, 28)
        assert split.images.dtype == split.labels.dtype == np.uint8


def test_splits_put_together_again_are_the_official_files(mnist):
    images = np.concatenate([mnist.validation.images, mnist.train.images])
    labels = np.concatenate([mnist.validation.labels, mnist.train.labels])
    parts = {"x_train": images, "y_train": labels, "x_test": mnist.test.images, "y_test": mnist.test.labels}
    for name, array in parts.items():
        assert hashlib.sha256(idx(array)).hexdigest() == data.OFFICIAL_DIGESTS[name]


def test_the_official_digests_are_the_published_ones():
    assert data.OFFICIAL_DIGESTS == {
        "x_train": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "y_train": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "x_test": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "y_test": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    }


def test_arrays_are_read_once_and_cannot_be_written(mnist):
    assert np.shares_memory(lstm_mnist.load_mnist().train.images, mnist.train.images)
    for array in (mnist.train.images, mnist.train.labels):
        with pytest.raises(ValueError, match="read-only"):
            array[:1] = 1


def test_a_fingerprint_tells_other_images_and_other_labels():
    images, labels = np.zeros((3, 5, 4), np.uint8), np.array([0, 1, 2])
    splits = [lstm_mnist.Split(*arrays) for arrays in ((images, labels), (images + 1, labels), (images, labels[::-1]))]
    assert splits[0].fingerprint() == lstm_mnist.Split(images.copy(), labels).fingerprint()
    assert len({tuple(split.fingerprint()) for split in splits}) == 3


def test_next_batch_is_scaled_rows_and_integer_labels(mnist):
    split = lstm_mnist.load_mnist().train
    x, y = split.next_batch(128)
    assert x.shape == (128, 28, 28)
    assert x.dtype == np.float32
    assert x.min() == 0
    assert x.max() == 1
    assert y.shape == (128,)
    assert y.dtype == np.int64
    indices = split.batch_indices(0)
    np.testing.assert_array_equal(x, split.images[indices].astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(y, split.labels[indices])


def test_next_batch_goes_on_and_each_loading_starts_afresh():
    split = lstm_mnist.load_mnist().validation
    split.next_batch(100)
    np.testing.assert_array_equal(split.next_batch(100)[1], split.labels[split.batch_indices(1, 100)])
    np.testing.assert_array_equal(
        lstm_mnist.load_mnist().validation.next_batch(100)[1], split.labels[split.batch_indices(0, 100)]
    )


def test_an_epoch_deals_each_image_once_and_carries_its_remainder(mnist):
    split = mnist.validation  # 5,000 = 39 x 128 + 8
    dealt = np.concatenate([split.batch_indices(n) for n in range(79)])
    for epoch in (dealt[:5000], dealt[5000:10_000]):
        np.testing.assert_array_equal(np.sort(epoch), np.arange(5000))
    assert not np.array_equal(dealt[:5000], dealt[5000:10_000])
    assert not np.array_equal(dealt[:5000], np.arange(5000))


def test_a_batch_larger_than_the_split_spans_epochs(mnist):
    few = lstm_mnist.Split(mnist.test.images[:10], mnist.test.labels[:10])
    assert sorted(np.bincount(few.batch_indices(0, 25), minlength=10)) == 5 * [2] + 5 * [3]


def test_a_batch_is_a_function_of_seed_and_number_alone(mnist):
    later = mnist.train.batch_indices(1000, seed=3)
    mnist.train.batch_indices(0, seed=3)
    np.testing.assert_array_equal(later, mnist.train.batch_indices(1000, seed=3))
    assert not np.array_equal(later, mnist.train.batch_indices(1000, seed=4))
    assert not np.array_equal(later, mnist.train.batch_indices(1001, seed=3))


def test_training_gets_several_batches_at_once(mnist):
    images, labels = mnist.train.batches(2, 5, 10, seed=3)
    indices = np.stack([mnist.train.batch_indices(n, 10, seed=3) for n in (2, 3, 4)])
    np.testing.assert_array_equal(images, mnist.train.images[indices])
    np.testing.assert_array_equal(labels, mnist.train.labels[indices])


def test_labels_stay_what_they_were_when_checked():
    labels = np.array([1, 2], np.uint8)
    split = lstm_mnist.Split(np.zeros((2, 28, 28), np.uint8), labels)
    labels[0] = 77
    assert split.labels.tolist() == [1, 2]


def test_no_batches_are_nothing_to_ask_for(mnist):
    for start, stop, message in ((3, 3, "stop is 3"), (0, 1.5, "stop is 1.5"), (-1, 2, "start is -1")):
        with pytest.raises(ValueError, match=message):
            mnist.train.batches(start, stop, 8, 0)


def test_load_idx_reads_the_same_images(idx_folder, mnist):
    splits = lstm_mnist.load_idx(idx_folder, validation_size=5)
    assert [len(split) for split in splits] == [35, 5, 10]
    np.testing.assert_array_equal(splits.validation.images, mnist.test.images[:5])
    np.testing.assert_array_equal(splits.train.labels, mnist.test.labels[5:40])
    np.testing.assert_array_equal(splits.test.images, mnist.test.images[40:50])


def test_batches_of_numpy_numbers_are_those_of_plain_ones(mnist):
    for dtype in (np.uint8, np.int8, np.int16, np.uint64):
        indices = mnist.train.batch_indices(dtype(100), dtype(100), dtype(7))
        np.testing.assert_array_equal(indices, mnist.train.batch_indices(100, 100, 7))


def test_the_millionth_epoch_is_dealt_like_the_first():
    few = lstm_mnist.Split(np.zeros((10, 2, 2), np.uint8), range(10))
    assert sorted(few.batch_indices(2**62, 10)) == list(range(10))


def test_256_classes_are_the_most():
    labels = np.array([0, 255, 254])
    images = np.zeros((3, 2, 2), np.uint8)
    np.testing.assert_array_equal(lstm_mnist.Split(images, labels, num_classes=256).labels, labels)
    with pytest.raises(ValueError, match="num_classes is 300: use a whole number from 1 to 256"):
        lstm_mnist.Split(images, [0, 299, 43], num_classes=300)


def test_a_split_takes_tensors_as_it_takes_arrays():
    split = lstm_mnist.Split(tf.zeros([3, 2, 2], tf.uint8), tf.constant([0, 1, 2]))
    x, y = split.next_batch(3)
    assert (x.shape, sorted(y)) == ((3, 2, 2), [0, 1, 2])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train-images-idx3-ubyte", None, "holds neither train-images-idx3-ubyte nor"),
        ("train-images-idx3-ubyte", b"<html>403</html>", "starts with 3c68746d"),
        ("train-images-idx3-ubyte", b"", "another kind of file"),
        ("train-images-idx3-ubyte", bytes.fromhex("00000803000000"), "starts with 00000803000000, not"),
        ("train-images-idx3-ubyte", idx(np.zeros((40, 0, 28), np.uint8)), r"announces \(40, 0, 28\) but holds 0 bytes"),
        ("train-images-idx3-ubyte", struct.pack(">HBB3I", 0, 8, 3, *3 * [2**32 - 1]), r"announces \(4294967295, "),
        ("t10k-images-idx3-ubyte", idx(np.zeros((10, 28, 27), np.uint8)), r"\(28, 28\) and the test images \(28, 27\)"),
        ("t10k-labels-idx1-ubyte", idx(np.zeros((2, 2), np.uint8)), "1 dimensions"),
        ("t10k-labels-idx1-ubyte", idx(np.zeros(9, np.uint8)), "10 images but t10k-labels-idx1-ubyte 9 labels"),
        ("t10k-labels-idx1-ubyte", idx(np.zeros(10, np.uint8))[:-1], "holds 9 bytes"),
        ("t10k-labels-idx1-ubyte", idx(np.full(10, 10, np.uint8)), r"labels 10\.\.10: say num_classes=11"),
        ("train-labels-idx1-ubyte.gz", gzip.compress(b"abc" * 100, mtime=0)[:-20], "cannot be read"),
    ],
)
def test_load_idx_names_a_bad_file(idx_folder, name, content, message):
    (idx_folder / name).unlink()
    if content is not None:
        (idx_folder / name).write_bytes(content)
    with pytest.raises(lstm_mnist.DataError, match=message) as error:
        lstm_mnist.load_idx(idx_folder, validation_size=5)
    assert name.removesuffix(".gz") in str(error.value) or str(idx_folder) in str(error.value)


def test_load_idx_takes_more_classes_where_they_are_announced(idx_folder):
    (idx_folder / "t10k-labels-idx1-ubyte").write_bytes(idx(np.full(10, 10, np.uint8)))
    assert lstm_mnist.load_idx(idx_folder, num_classes=11, validation_size=5).test.num_classes == 11


@pytest.mark.parametrize("size", [0, 40, 5.0, -1, None])
def test_load_idx_refuses_an_impossible_validation_split(idx_folder, size):
    with pytest.raises(ValueError, match=f"validation_size is {size}: use a whole number from 1 to 39"):
        lstm_mnist.load_idx(idx_folder, validation_size=size)


def test_a_missing_data_file_is_named(tmp_path):
    with pytest.raises(lstm_mnist.DataError, match=r"mnist\.npz is missing: reinstall"):
        data.read_mnist(tmp_path / "mnist.npz")


def test_an_altered_array_is_refused_with_both_digests(tmp_path):
    with np.load(data.MNIST_FILE) as arrays:
        arrays = dict(arrays)
    arrays["y_test"][0] = 1
    np.savez(tmp_path / "mnist.npz", **arrays)
    with pytest.raises(lstm_mnist.DataError, match=f"y_test .*{data.OFFICIAL_DIGESTS['y_test']}"):
        data.read_mnist(tmp_path / "mnist.npz")


@pytest.mark.parametrize("arrays", [{"x_train": 0}, {"a": 0, "b": 1}])
def test_other_arrays_are_refused(tmp_path, arrays):
    np.savez(tmp_path / "mnist.npz", **arrays)
    with pytest.raises(lstm_mnist.DataError, match=r"mnist\.npz cannot be read"):
        data.read_mnist(tmp_path / "mnist.npz")


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((28, 28), np.uint8), r"images\[None\]"),
        (np.zeros((3, 784), np.uint8), "reshape"),
        (np.zeros((0, 28, 28), np.uint8), "at least one image"),
        (np.zeros((1, 28, 28), np.int64), "dtype int64"),
        (np.full((1, 28, 28), 255, np.float32), r"255\.\.255: scale them to 0\.\.1"),
        (np.full((1, 28, 28), -0.5), "scale them"),
        (np.full((1, 28, 28), np.nan), "NaN"),
        ([[[0]]], "of type list: give a NumPy array"),
        (None, "of type NoneType"),
    ],
)
def test_unusable_images_are_named(images, message):
    with pytest.raises(ValueError, match=message):
        check_images(images)


@pytest.mark.parametrize("dtype", ["uint8", "float16", "bfloat16", "float32", "float64"])
def test_images_of_every_float_type_and_bytes_are_taken(dtype):
    images = tf.cast(np.ones((1, 28, 28)), dtype)
    check_images(images)
    check_images(images.numpy())


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(2, int), "one label per image"),
        (np.zeros((3, 10), int), "one label per image"),
        (np.array([0, 1, 10]), r"0\.\.10: expected 0\.\.9"),
        (np.array([-1, 1, 2]), r"-1\.\.2"),
        (np.array([0.0, 1.0, 2.0]), "dtype float64"),
    ],
)
def test_unusable_labels_are_named(labels, message):
    with pytest.raises(ValueError, match=message):
        lstm_mnist.Split(np.zeros((3, 28, 28), np.uint8), labels)


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, True])
def test_an_impossible_batch_size_is_named(mnist, batch_size):
    with pytest.raises(ValueError, match=f"batch_size is {batch_size}"):
        mnist.train.next_batch(batch_size)
