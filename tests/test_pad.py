"""The pad: what the kernel knows of it, and that the numbers of ``pad.js`` are those of Python, in a real browser.

The browser's tests need Debian's ``chromium`` (or ``CHROMIUM``, the path of another) and playwright, else are skipped.
"""

import base64
import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pytest

from lstm_mnist import LSTMClassifier, load_mnist, load_pretrained
from lstm_mnist.commands.page import NETWORK, make_page
from lstm_mnist.drawing import DrawnDigit, load_drawn_digits, rasterise, to_mnist, why_no_digit
from lstm_mnist.evaluation import predict_probabilities
from lstm_mnist.inside import beliefs, decision_rows, trace
from lstm_mnist.pad import EMPTY, NOTES, PAD_MODULE, DigitPad, known_pictures, pad_data

ROOT = Path(__file__).parent.parent
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
needs_browser = pytest.mark.skipif(
    not CHROMIUM or find_spec("playwright") is None, reason="no browser: chromium or playwright is missing"
)
DRAWN = load_drawn_digits()
SEVEN, EIGHT = (next(d for d in DRAWN if (d.digit, d.way) == (digit, "plain")) for digit in (7, 8))
STATES = ("i", "f", "candidate", "o", "c", "h")


@pytest.fixture(scope="module")
def model():
    return load_pretrained(NETWORK)


@pytest.fixture(scope="module")
def test_images():
    return load_mnist().test.images[:1000]


# What the kernel knows


def replay(pad, drawn):
    """What the page does where a drawn digit is chosen."""
    pad.set_state({"drawing": EMPTY | {"strokes": drawn.strokes, "pen_width": drawn.pen_width}})


def test_what_the_page_draws_is_prepared_and_read(model):
    pad = DigitPad(model)
    replay(pad, SEVEN)
    assert pad.strokes == SEVEN.strokes
    assert np.array_equal(pad.image, to_mnist(rasterise(SEVEN.strokes, SEVEN.pen_width)))
    np.testing.assert_array_equal(pad.probabilities, beliefs(model, pad.image[None])[0])
    assert repr(pad) == f"DigitPad({len(SEVEN.strokes)} stroke{'s' * (len(SEVEN.strokes) > 1)}: {pad.note})"
    assert pad.note == f"I read a 7 ({pad.probabilities[-1, 7]:.0%})."


def test_a_recorded_pen_comes_with_its_strokes(model):
    thick = next(d for d in DRAWN if d.way == "thick")
    pad = DigitPad(model)
    replay(pad, thick)
    assert np.array_equal(pad.image, to_mnist(rasterise(thick.strokes, thick.pen_width)))
    assert not np.array_equal(pad.image, to_mnist(rasterise(thick.strokes)))


def test_an_8_has_its_article(model):
    pad = DigitPad(model)
    replay(pad, EIGHT)
    assert pad.note.startswith("I read an 8 (")


def test_an_image_can_be_shown_and_the_pad_emptied(model, test_images):
    pad = DigitPad(model)
    pad.show(test_images[0])
    assert np.array_equal(pad.image, test_images[0])
    assert pad.strokes == []
    assert pad.note.startswith("I read a 7 (")
    pad.drawing = EMPTY
    assert (pad.image, pad.probabilities, pad.note) == (None, None, NOTES["empty"])


def test_two_pads_do_not_share_anything(model):
    one, other = DigitPad(model), DigitPad(model)
    replay(one, SEVEN)
    assert (other.strokes, other.image) == ([], None)


ODD = {
    "empty": [[], [[[-900, -900], [-900, 900]]]],
    "blot": [[[[140, 140]]], [[[0, y], [280, y]] for y in range(0, 281, 10)]],
    "wide": [[[[10, 140], [270, 140]]]],
    "two": [[[[60, 40], [60, 240]], [[220, 40], [220, 240]]]],
}


def test_a_drawing_of_which_hardly_anything_is_left_is_too_faint():
    pad = DigitPad(load_pretrained("quick"))
    pad.drawing = {"strokes": [[[-9.95, 140]]], "pen_width": 20, "picture": ""}
    assert (pad.image, pad.probabilities, pad.note) == (None, None, NOTES["faint"])


@pytest.mark.parametrize("reason", ODD)
def test_what_is_not_one_digit_gets_a_kind_word_and_no_belief(model, reason):
    pad = DigitPad(model)
    for strokes in ODD[reason]:
        replay(pad, DrawnDigit(0, "odd", 20, strokes))
        assert (pad.note, pad.image, pad.probabilities) == (NOTES[reason], None, None)


def test_a_model_or_picture_of_another_kind_is_refused(model, test_images):
    with pytest.raises(ValueError, match="rows of 7 pixels"):
        DigitPad(LSTMClassifier(num_hidden=2, num_features=7))
    with pytest.raises(TypeError, match="LSTMClassifier"):
        DigitPad(keras.Sequential())
    with pytest.raises(ValueError, match="a half"):
        DigitPad(model, pictures={"mine": {"a half": test_images[0][:14]}})
    with pytest.raises(ValueError, match="float64"):
        DigitPad(model).show(test_images[0] / 255)


def test_known_mistakes_are_mistakes_and_test_digits_are_one_of_each(model):
    test = load_mnist().test
    pictures = known_pictures(model)
    assert [name[0] for name in pictures["test digits"]] == list("0123456789")
    belief = predict_probabilities(model, np.stack(list(pictures["known mistakes"].values())))
    every = predict_probabilities(model, test.images)
    surest = np.sort(every.max(axis=1)[every.argmax(axis=1) != test.labels])[-10:][::-1]
    np.testing.assert_allclose(belief.max(axis=1), surest, atol=1e-5)
    answers = belief.argmax(axis=1)
    for (name, image), answer in zip(pictures["known mistakes"].items(), answers, strict=True):
        number = int(name.split()[-1])
        assert np.array_equal(image, test.images[number])
        assert name.startswith(f"{test.labels[number]} read as {answer},")
        assert answer != test.labels[number]


def test_two_networks_are_handed_over_by_name(model):
    networks = pad_data(model, load_pretrained("2019"))["networks"]
    assert [network["name"] for network in networks] == [NETWORK, "2019"]
    assert networks[0]["weights"] != networks[1]["weights"]


# The page


def test_the_stored_page_is_the_one_that_the_command_writes(tmp_path):
    page = tmp_path / "pad.html"
    make_page(page)
    assert page.read_bytes() == (ROOT / "figures" / "pad.html").read_bytes()
    assert page.stat().st_size <= 700_000


@pytest.mark.parametrize("name", [NETWORK, "2019"])
def test_half_precision_leaves_the_answers_as_they_are(name):
    model, images = load_pretrained(name), load_mnist().test.images
    answers = predict_probabilities(model, images).argmax(axis=1)
    model.set_weights([weight.astype(np.float16) for weight in model.get_weights()])
    assert np.array_equal(predict_probabilities(model, images).argmax(axis=1), answers)


# JavaScript's numbers


@pytest.fixture(scope="module")
def module():
    """A page that holds ``pad.js`` as ``pad``, and a few words to ask it."""
    from playwright.sync_api import sync_playwright

    source = base64.b64encode(PAD_MODULE.read_bytes()).decode()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.evaluate(f"async () => {{ window.pad = await import('data:text/javascript;base64,{source}') }}")
        page.evaluate("""() => {
            window.pack = (parts) => {
              const raw = parts.map((part) => new Uint8Array(part.buffer)), text = [];
              for (const each of raw) for (let k = 0; k < each.length; k += 9999)
                text.push(String.fromCharCode(...each.subarray(k, k + 9999)));
              return btoa(text.join(""));
            };
            window.pictures = (packed) => {
              const all = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
              return Array.from({length: all.length / 784}, (_, k) => all.subarray(784 * k, 784 * k + 784));
            };
        }""")
        yield page
        browser.close()


def unpacked(text, dtype, *shape):
    return np.frombuffer(base64.b64decode(text), dtype).reshape(shape)


def packed(images):
    return base64.b64encode(np.ascontiguousarray(images).tobytes()).decode()


def scribbles(number=60):
    """Strokes of all kinds: tiny, huge, off the pad, of one point, with every pen."""
    random = np.random.default_rng(0)
    for _ in range(number):
        middle, size = random.uniform(-50, 330, 2), 10 ** random.uniform(0, 4)
        strokes = [middle + size * random.normal(size=(random.integers(1, 9), 2)) for _ in range(random.integers(1, 4))]
        yield [stroke.tolist() for stroke in strokes], int(random.integers(1, 60))


@needs_browser
@pytest.mark.parametrize("kind", ["drawn digits", "scribbles", "odd"])
def test_ink_and_preparation_are_those_of_python(module, kind):
    drawings = {
        "drawn digits": [(d.strokes, d.pen_width) for d in DRAWN],
        "scribbles": list(scribbles()),
        "odd": [(strokes, 20) for group in ODD.values() for strokes in group],
    }[kind]
    inks, images, reasons = module.evaluate(
        """(drawings) => {
            const inks = drawings.map(([strokes, width]) => pad.inkLevels(pad.rasterise(strokes, width)));
            const images = inks.map(pad.toMnist);
            return [pack(inks), pack(images.map((image) => image ?? new Uint8Array(784))), images.map(pad.whyNoDigit)];
        }""",
        drawings,
    )
    inks, images = unpacked(inks, np.uint8, -1, 280, 280), unpacked(images, np.uint8, -1, 28, 28)
    for (strokes, pen_width), ink, image, reason in zip(drawings, inks, images, reasons, strict=True):
        assert np.array_equal(ink, rasterise(strokes, pen_width))
        if reason == "empty":
            assert not ink.any()
        elif reason != "faint":
            assert np.array_equal(image, to_mnist(ink))
            assert reason == why_no_digit(image)


@needs_browser
def test_enlarged_test_images_are_prepared_as_in_python(module, test_images):
    images = module.evaluate(
        """(packed) => pack(pictures(packed).map((image) => {
            const large = new Uint8Array(280 * 280);
            large.forEach((_, k) => {
              const row = Math.floor(k / 280 / 7), column = Math.floor((k % 280) / 9);
              if (row < 28 && column < 28) large[k] = image[28 * row + column];
            });
            return pad.toMnist(large);
        }))""",
        packed(test_images),
    )
    images = unpacked(images, np.uint8, -1, 28, 28)
    blocks = np.ones((7, 9), np.uint8)
    assert np.array_equal(images, [to_mnist(np.kron(image, blocks)) for image in test_images])


READ = """([network, packed, names]) => {
    const reader = new pad.Network(network), read = pictures(packed).map((image) => reader.read(image));
    return [...names.map((name) => pack(read.map((states) => states[name]))),
            read.map((states) => pad.decisionRow(states.belief))];
}"""


@needs_browser
@pytest.mark.parametrize("name", [NETWORK, "2019", "of another size"])
def test_every_state_after_every_row_is_that_of_python(module, name):
    model = LSTMClassifier(num_hidden=5, num_classes=3) if name == "of another size" else load_pretrained(name)
    images = np.stack([to_mnist(rasterise(d.strokes, d.pen_width)) for d in DRAWN])
    network = pad_data(model)["networks"][0]
    *states, rows = module.evaluate(READ, [network, packed(images), [*STATES, "logits", "belief"]])
    traced, belief = trace(model, images), beliefs(model, images)
    for state, values in zip([*STATES, "logits"], states, strict=False):
        expected = getattr(traced, state)
        np.testing.assert_allclose(unpacked(values, np.float32, *expected.shape), expected, atol=1e-4, err_msg=state)
    np.testing.assert_allclose(unpacked(states[-1], np.float32, *belief.shape), belief, atol=1e-4)
    assert rows == decision_rows(belief).tolist()


@needs_browser
def test_beliefs_after_every_row_of_1000_test_images_are_those_of_python(module, model, test_images):
    network = pad_data(model)["networks"][0]
    c, belief, _ = module.evaluate(READ, [network, packed(test_images), ["c", "belief"]])
    expected = beliefs(model, test_images)
    memory = np.concatenate([trace(model, test_images[start : start + 100]).c for start in range(0, 1000, 100)])
    np.testing.assert_allclose(unpacked(c, np.float32, *memory.shape), memory, atol=1e-4)
    belief = unpacked(belief, np.float32, *expected.shape)
    np.testing.assert_allclose(belief, expected, atol=1e-4)
    assert np.array_equal(belief[:, -1].argmax(axis=1), expected[:, -1].argmax(axis=1))


@needs_browser
def test_half_precision_weights_are_decoded(module, model, test_images):
    network = pad_data(model, dtype="float16")["networks"][0]
    belief, _ = module.evaluate(READ, [network, packed(test_images[:50]), ["belief"]])
    rounded = load_pretrained(NETWORK)
    rounded.set_weights([weight.astype(np.float16) for weight in model.get_weights()])
    np.testing.assert_allclose(unpacked(belief, np.float32, 50, 28, 10), beliefs(rounded, test_images[:50]), atol=1e-4)
