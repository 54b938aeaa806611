"""Notebook 02's way to and from PyTorch, with PyTorch itself, where it is installed."""

import json
from pathlib import Path

import numpy as np
import pytest

import lstm_mnist
from lstm_mnist.data import scale

torch = pytest.importorskip("torch")

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "02_lstm_graph.ipynb"


@pytest.fixture(scope="module")
def notebook():
    """The functions of the section, as the notebook's own cells define them."""
    cells = ["".join(cell["source"]) for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]]
    names = {"np": np}
    for function in ("sigmoid", "to_pytorch", "from_pytorch", "pytorch_lstm"):
        (source,) = (cell for cell in cells if cell.startswith(f"def {function}("))
        exec(source, names)
    return names


def peer(state, **kwargs):
    """PyTorch's layer with the weights of ``state``."""
    units, features = state["weight_hh_l0"].shape[1], state["weight_ih_l0"].shape[1]
    layer = torch.nn.LSTM(features, units, **kwargs)
    layer.load_state_dict({name: torch.tensor(np.ascontiguousarray(array)) for name, array in state.items()})
    return layer


def outputs_of(layer, rows):
    with torch.no_grad():
        return layer(torch.from_numpy(rows))[0].numpy()


def test_our_network_answers_all_test_images_the_same_in_pytorch(notebook):
    model = lstm_mnist.load_pretrained("2019")
    images = lstm_mnist.load_mnist().test.images
    layer = peer(notebook["to_pytorch"](*model.lstm.get_weights()), batch_first=True)
    kernel, bias = model.output_layer.get_weights()
    for k in range(0, len(images), 1000):
        theirs = outputs_of(layer, scale(images[k : k + 1000]))[:, -1] @ kernel + bias
        ours = model(images[k : k + 1000]).numpy()
        np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-4)
        np.testing.assert_array_equal(theirs.argmax(axis=1), ours.argmax(axis=1))


def test_pytorchs_own_weights_give_the_same_outputs_here(notebook):
    torch.manual_seed(0)
    theirs = torch.nn.LSTM(3, 5)
    state = {name: array.numpy() for name, array in theirs.state_dict().items()}
    rows = np.random.default_rng(0).normal(size=(6, 4, 3)).astype(np.float32)
    ours = lstm_mnist.LSTM(5, return_sequences=True)
    ours.build((None, 6, 3))
    ours.set_weights(notebook["from_pytorch"](state))
    outputs = outputs_of(theirs, rows)
    np.testing.assert_allclose(ours(rows.swapaxes(0, 1)), outputs.swapaxes(0, 1), atol=1e-6)
    np.testing.assert_allclose(notebook["pytorch_lstm"](rows, state), outputs, atol=1e-6)


def test_the_layout_trap_runs_without_an_error_and_its_check_finds_it(notebook):
    layer = peer(notebook["to_pytorch"](*lstm_mnist.load_pretrained("2019").lstm.get_weights()))
    rows = scale(lstm_mnist.load_mnist().test.images[:64])
    trapped = outputs_of(layer, rows)[:, -1]
    assert trapped.shape == (64, 128)
    assert not np.allclose(trapped[-1:], outputs_of(layer, rows[-1:])[:, -1], atol=1e-5)
    read = outputs_of(layer, rows.swapaxes(0, 1))[-1]
    np.testing.assert_allclose(read[-1:], outputs_of(layer, rows[-1:].swapaxes(0, 1))[-1], atol=1e-5)


def test_pytorchs_last_h_are_the_last_forward_and_the_first_backward_output():
    layer = torch.nn.LSTM(28, 5, batch_first=True, bidirectional=True)
    with torch.no_grad():
        outputs, (h, _) = layer(torch.from_numpy(scale(lstm_mnist.load_mnist().test.images[:4])))
    assert torch.equal(outputs[:, -1, :5], h[0])
    assert torch.equal(outputs[:, 0, 5:], h[1])
