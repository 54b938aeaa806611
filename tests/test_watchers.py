import keras
import pytest
import tensorflow as tf

import lstm_mnist


@pytest.fixture(scope="module")
def split():
    return lstm_mnist.load_mnist().train


def small_model():
    keras.utils.set_random_seed(0)
    return lstm_mnist.LSTMClassifier(num_hidden=8)


def test_prints_the_lines_of_2019_measured_after_the_update(split, capsys):
    model = small_model()
    lstm_mnist.train(model, split, steps=24, batch_size=32, watchers=[lstm_mnist.Printing(10)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        "Step 1",
        "Step 10",
        "Step 20",
        "Step 24",
        "Optimization Finished!",
    ]
    indices = split.batch_indices(23, 32)
    loss, accuracy = lstm_mnist.loss_and_accuracy(split.labels[indices], model(split.images[indices]))
    assert lines[3] == f"Step 24, Loss= {loss:.4f}, Training Accuracy= {accuracy:.3f}"


def test_a_bar_is_shown_unless_the_environment_says_no(split, capsys, monkeypatch):
    monkeypatch.setenv("LSTM_MNIST_PROGRESS", "1")
    lstm_mnist.train(small_model(), split, 3, 8, watchers=[lstm_mnist.ProgressBar()])
    assert "3/3" in capsys.readouterr().err
    monkeypatch.setenv("LSTM_MNIST_PROGRESS", "0")
    lstm_mnist.train(small_model(), split, 3, 8, watchers=[lstm_mnist.ProgressBar()])
    assert capsys.readouterr().err == ""


def test_without_an_error_output_there_is_no_bar_and_no_error(split, monkeypatch):
    monkeypatch.setenv("LSTM_MNIST_PROGRESS", "1")
    monkeypatch.setattr("sys.stderr", None)
    history = lstm_mnist.train(small_model(), split, 3, 8, watchers=[lstm_mnist.ProgressBar()])
    assert len(history.loss) == 3


def test_tensorboard_gets_each_steps_numbers(split, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    history = lstm_mnist.train(small_model(), split, 5, 8, watchers=[lstm_mnist.TensorBoard(tmp_path)])
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    for name, values in history._asdict().items():
        told = [(event.step, tf.make_ndarray(event.tensor_proto).item()) for event in events.Tensors(name)]
        assert told == list(enumerate(values.tolist(), start=1))


def test_missing_tensorboard_is_named_with_its_remedy(split, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"TensorBoard .*pip install -e '\.\[tensorboard\]' in the clone"):
        lstm_mnist.TensorBoard(tmp_path / "logs")
    assert not (tmp_path / "logs").exists()


class Looking(lstm_mnist.watchers.Watcher):
    """Notes the steps at which it looks, and fails at the step it is told."""

    def __init__(self, every, fail_at=None):
        super().__init__(every)
        self.fail_at, self.seen = fail_at, []

    def look(self, run):
        assert run.done == len(run.measured)
        self.seen.append(run.done)
        if run.done == self.fail_at:
            raise RuntimeError("enough")

    def end(self, run):
        self.seen.append("end")


def test_watchers_look_each_at_its_own_steps_and_after_the_last(split):
    some, others = Looking(every=7), Looking(every=60)
    lstm_mnist.train(small_model(), split, 20, 8, watchers=[some, others])
    assert some.seen == [7, 14, 20, "end"]
    assert others.seen == [20, "end"]


def test_every_watcher_is_told_of_the_end_of_a_run_that_fails(split):
    failing, other = Looking(every=5, fail_at=10), Looking(every=100)
    with pytest.raises(RuntimeError, match="enough"):
        lstm_mnist.train(small_model(), split, 20, 8, watchers=[failing, other])
    assert failing.seen == [5, 10, "end"]
    assert other.seen == ["end"]


def test_tensorboard_makes_no_folder_of_the_name_none():
    with pytest.raises(TypeError, match="folder is None: give a path"):
        lstm_mnist.TensorBoard(None)


def test_a_watcher_that_never_looks_is_named():
    with pytest.raises(ValueError, match="every is 0"):
        lstm_mnist.Printing(every=0)
