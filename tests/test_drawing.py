import asyncio
import base64
import io
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageFilter

from lstm_mnist import DataError, LSTMClassifier, load_mnist, load_pretrained, plots
from lstm_mnist.drawing import (
    DOT_NOTE,
    EMPTY_NOTE,
    FULL_NOTE,
    DigitPad,
    DrawnDigit,
    load_drawn_digits,
    rasterise,
    read_picture,
    to_mnist,
)
from lstm_mnist.evaluation import predict_probabilities
from lstm_mnist.inside import logits_after_each_row

DRAWN = load_drawn_digits()
SEVEN = next(d for d in DRAWN if (d.digit, d.way) == (7, "plain"))


@pytest.fixture(scope="module")
def model():
    return load_pretrained("2019")


@pytest.fixture(scope="module")
def test_digits():
    test = load_mnist().test
    return test.images[:1000], test.labels[:1000]


@pytest.fixture
def pad(model):
    return DigitPad(model)


def enlarged(image, times=10, method=Image.Resampling.BICUBIC):
    return np.asarray(Image.fromarray(image).resize((times * image.shape[1], times * image.shape[0]), method))


def accuracy(model, images, labels):
    return np.mean(predict_probabilities(model, np.stack(images)).argmax(axis=1) == labels)


# to_mnist


def test_mnist_digits_already_have_the_form(test_digits):
    images, _ = test_digits
    assert all(np.array_equal(to_mnist(image), image) for image in images)


@pytest.mark.parametrize(("down", "right"), [(0, 60), (45, 0), (50, 61)])
def test_a_moved_and_enlarged_digit_comes_back_exactly(test_digits, down, right):
    for image in test_digits[0][:20]:
        large = enlarged(image, method=Image.Resampling.NEAREST)
        assert np.array_equal(to_mnist(np.pad(large, ((down, 0), (right, 7)))), image)


def test_the_box_the_proportions_and_the_centre_of_mass():
    ink = np.zeros((300, 200), np.uint8)
    ink[40:240, 20:70] = 255  # four times as high as wide
    ink[40:60, 20:120] = 255
    image = to_mnist(ink)
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    assert (image.shape, image.dtype) == ((28, 28), np.uint8)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (20, 10)
    centre = [(image.sum(axis=1 - k) @ np.arange(28)) / image.sum() for k in (0, 1)]
    assert np.abs(np.subtract(centre, 14)).max() <= 0.5


def test_edges_are_averaged():
    ink = np.zeros((40, 40), np.uint8)
    ink[:, 0:39] = 255
    ink[0, 39] = 255  # keeps the box 40 wide
    image = to_mnist(ink)
    assert sorted(Counter(image[image > 0].tolist())) == [128, 192, 255]


def test_accuracy_survives_the_round_trip(model, test_digits):
    """Enlarged tenfold, scanned in black and white and off-centre, 1,000 test digits lose at most half a point."""
    images, labels = test_digits
    before = accuracy(model, images, labels)
    back = [to_mnist(np.pad(np.where(enlarged(i) > 127, 255, 0).astype(np.uint8), ((0, 50), (90, 0)))) for i in images]
    smooth = [to_mnist(enlarged(i, times=7)) for i in images]
    assert accuracy(model, back, labels) >= before - 0.005
    assert accuracy(model, smooth, labels) >= before - 0.005


def test_thicker_and_smaller_digits_stay_readable(model, test_digits):
    images, labels = (part[:200] for part in test_digits)
    thick = [to_mnist(np.asarray(Image.fromarray(enlarged(i, 4)).filter(ImageFilter.MaxFilter(3)))) for i in images]
    small = [to_mnist(np.asarray(Image.fromarray(i).resize((14, 14), Image.Resampling.BOX))) for i in images]
    assert accuracy(model, thick, labels) >= accuracy(model, images, labels) - 0.02
    assert accuracy(model, small, labels) >= accuracy(model, images, labels) - 0.03


def test_float_ink_is_the_same_ink():
    ink = rasterise(SEVEN.strokes)
    assert np.array_equal(to_mnist(ink / 255), to_mnist(ink))


@pytest.mark.parametrize(
    ("ink", "message"),
    [
        (np.zeros((280, 280), np.uint8), "empty"),
        (np.zeros((28, 28, 3), np.uint8), r"\[28, 28, 3\]"),
        (np.zeros((0, 28), np.uint8), r"\[0, 28\]"),
        (np.ones((28, 28), np.int64), "int64"),
        (np.full((28, 28), 255.0), "float64"),
        (np.full((28, 28), np.nan), "float64"),
    ],
)
def test_what_is_no_drawing_is_refused(ink, message):
    with pytest.raises(ValueError, match=message):
        to_mnist(ink)


def test_one_pixel_and_extreme_shapes_give_an_image():
    for shape in ((1, 1), (1, 500), (500, 1), (28, 28)):
        image = to_mnist(np.full(shape, 255, np.uint8))
        assert image.shape == (28, 28)
        assert image.max() == 255


# strokes


def test_the_pen_draws_a_disc_of_its_width_and_a_line_between_points():
    dot = rasterise([[(100, 50)]], pen_width=20)
    assert dot.shape == (280, 280)
    assert 0.95 < (dot / 255).sum() / (np.pi * 10**2) < 1.1
    assert np.flatnonzero(dot.any(axis=1)).mean() == pytest.approx(50, abs=0.6)
    line = rasterise([[(50, 100), (150, 100)]], pen_width=10)
    assert (line[100, 50:150] == 255).all()
    assert np.count_nonzero(line[:, 100] > 127) == pytest.approx(10, abs=1)


def test_what_leaves_the_pad_is_cut_off_and_nothing_is_no_ink():
    assert np.array_equal(rasterise([[(140, 40), (140, 900)]]), rasterise([[(140, 40), (140, 400)]]))
    assert not rasterise([[(-500, -500)]]).any()
    assert not rasterise([]).any()


def test_the_drawn_digits_are_each_digit_in_eight_ways():
    assert Counter(d.digit for d in DRAWN) == dict.fromkeys(range(10), 8)
    ways = ["plain", "thin", "thick", "small", "off-centre", "slanted", "other form", "hasty"]
    assert [d.way for d in DRAWN] == 10 * ways
    assert all(0 <= v <= 280 for d in DRAWN for stroke in d.strokes for point in stroke for v in point)
    assert len({str(d.strokes) for d in DRAWN}) == len(DRAWN)


def test_the_drawn_digits_are_read(model):
    images = [to_mnist(rasterise(d.strokes, d.pen_width)) for d in DRAWN]
    assert accuracy(model, images, [d.digit for d in DRAWN]) >= 0.85


# pictures


@pytest.mark.parametrize("light_on_dark", [False, True])
@pytest.mark.parametrize("way", ["plain", "thin", "off-centre"])
def test_photos_in_uneven_light_are_read_like_their_drawings(model, tmp_path, way, light_on_dark):
    random = np.random.default_rng(1)
    images, labels = [], []
    for d in DRAWN:
        if d.way == way:
            light = np.linspace(220, 130, 280) + np.linspace(0, 25, 280)[:, None]
            photo = light - 90 * (rasterise(d.strokes, d.pen_width) / 255) + random.normal(0, 5, (280, 280))
            photo = photo.clip(0, 255).astype(np.uint8)
            Image.fromarray(255 - photo if light_on_dark else photo).save(tmp_path / "photo.png")
            images.append(to_mnist(read_picture(tmp_path / "photo.png")))
            labels.append(d.digit)
    assert accuracy(model, images, labels) == 1


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "LA"])
def test_any_kind_of_png_gives_the_same_digit(model, tmp_path, mode):
    picture = Image.fromarray(255 - rasterise(SEVEN.strokes)).convert("RGB").resize((700, 500))
    picture.convert(mode).save(tmp_path / "seven.png")
    image = to_mnist(read_picture(tmp_path / "seven.png"))
    assert predict_probabilities(model, image[None]).argmax() == 7


def test_ink_on_transparent_paper_is_found(model, tmp_path):
    alpha = Image.fromarray(rasterise(SEVEN.strokes))
    picture = Image.new("RGBA", alpha.size, "black")
    picture.putalpha(alpha)
    picture.save(tmp_path / "seven.png")
    image = to_mnist(read_picture(tmp_path / "seven.png"))
    assert predict_probabilities(model, image[None]).argmax() == 7


def test_mnist_images_saved_as_png_are_read(model, test_digits, tmp_path):
    images, labels = (part[:100] for part in test_digits)
    back = []
    for image in images:
        Image.fromarray(image).save(tmp_path / "digit.png")
        back.append(to_mnist(read_picture(tmp_path / "digit.png")))
    assert accuracy(model, back, labels) >= accuracy(model, images, labels) - 0.03


def test_a_photo_taken_sideways_is_turned(test_digits, tmp_path):
    picture = Image.fromarray(255 - test_digits[0][0]).resize((112, 112))
    picture.save(tmp_path / "upright.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise by a quarter to see it upright
    picture.rotate(90).save(tmp_path / "sideways.png", exif=exif)
    np.testing.assert_array_equal(read_picture(tmp_path / "sideways.png"), read_picture(tmp_path / "upright.png"))


def test_a_blank_sheet_has_no_ink(tmp_path):
    sheet = np.random.default_rng(0).normal(200, 5, (300, 200)).clip(0, 255).astype(np.uint8)
    Image.fromarray(sheet).save(tmp_path / "sheet.png")
    assert not read_picture(tmp_path / "sheet.png").any()


def test_what_is_no_picture_is_refused(tmp_path):
    (tmp_path / "page.png").write_text("<html>404</html>")
    Image.fromarray(rasterise(SEVEN.strokes)).save(tmp_path / "whole.png")
    (tmp_path / "half.png").write_bytes((tmp_path / "whole.png").read_bytes()[:300])
    for name in ("page.png", "half.png", "missing.png", ""):
        with pytest.raises(DataError, match="no picture"):
            read_picture(tmp_path / name)


# what the network believes


def test_logits_after_row_t_are_those_of_an_image_that_ends_there(model, test_digits):
    images = test_digits[0][:5]
    logits = logits_after_each_row(model, tf.constant(images)).numpy()
    assert logits.shape == (5, 28, 10)
    for t in (1, 9, 28):
        np.testing.assert_allclose(logits[:, t - 1], model(images[:, :t]), atol=1e-5)


# the pad


def test_a_replayed_digit_is_drawn_prepared_and_read(pad):
    pad.replay(SEVEN)
    assert pad.strokes == [[tuple(point) for point in stroke] for stroke in SEVEN.strokes]
    assert np.array_equal(pad.image, to_mnist(rasterise(SEVEN.strokes, SEVEN.pen_width)))
    assert pad.probabilities.shape == (28, 10)
    np.testing.assert_allclose(pad.probabilities.sum(axis=1), 1, rtol=1e-5)
    assert pad.answer == 7
    assert pad.note.startswith("I read a 7 (")


def test_mouse_finger_and_replay_draw_the_same(model):
    by_replay, by_mouse, by_finger = (DigitPad(model) for _ in range(3))
    by_replay.replay(SEVEN)
    for pad, names, points in ((by_mouse, ("mouse_down", "mouse_move", "mouse_up"), lambda x, y: {"x": x, "y": y}),
                               (by_finger, ("touch_start", "touch_move", "touch_end"),
                                lambda x, y: {"touches": [{"x": x, "y": y}]})):  # fmt: skip
        for stroke in SEVEN.strokes:
            send(pad, names[0], **points(*stroke[0]))
            for point in stroke[1:]:
                send(pad, names[1], **points(*point))
            send(pad, names[2], **(points(*stroke[-1]) if pad is by_mouse else {"touches": []}))
        assert pad.strokes == by_replay.strokes
        assert np.array_equal(pad.image, by_replay.image)
        assert np.array_equal(pad.logits, by_replay.logits)


def send(pad, event, **content):
    """What the browser sends to the kernel."""
    pad._canvas[1]._handle_frontend_event(None, {"event": event, **content}, [])


def test_a_second_finger_does_not_disturb_the_first(pad):
    send(pad, "touch_start", touches=[{"x": 140, "y": 50}])
    send(pad, "touch_start", touches=[{"x": 140, "y": 50}, {"x": 20, "y": 20}])
    send(pad, "touch_move", touches=[{"x": 140, "y": 150}, {"x": 30, "y": 20}])
    send(pad, "touch_end", touches=[{"x": 140, "y": 150}])
    send(pad, "touch_move", touches=[{"x": 140, "y": 230}])
    send(pad, "touch_cancel", touches=[])
    assert pad.strokes == [[(140, 50), (140, 150), (140, 230)]]
    assert pad.answer == 1


def test_moving_without_pressing_draws_nothing(pad):
    send(pad, "mouse_move", x=50, y=50)
    send(pad, "mouse_up", x=50, y=50)
    assert pad.strokes == []
    send(pad, "mouse_down", x=50, y=50)
    send(pad, "mouse_out", x=-1, y=50)
    send(pad, "mouse_move", x=90, y=90)
    assert pad.strokes == [[(50, 50)]]


def test_undo_takes_back_one_stroke_and_clear_all(pad):
    pad.replay(next(d for d in DRAWN if len(d.strokes) == 2))
    two = [list(stroke) for stroke in pad.strokes]
    pad.undo()
    assert pad.strokes == two[:1]
    assert pad.answer is not None
    pad.clear()
    assert (pad.strokes, pad.answer, pad.probabilities, pad.note) == ([], None, None, EMPTY_NOTE)
    pad.undo()
    assert pad.note == EMPTY_NOTE


def test_the_pen_width_of_a_replayed_digit_ends_with_clear(pad):
    pad.replay(next(d for d in DRAWN if d.way == "thick"))
    assert pad.pen_width == 36
    pad.clear()
    assert pad.pen_width == 20


def test_a_dot_and_a_pad_full_of_ink_get_a_note_and_no_answer(pad):
    pad.read()
    assert pad.note == EMPTY_NOTE
    pad.pen_down(140, 140)
    pad.pen_up()
    assert (pad.note, pad.answer) == (DOT_NOTE, None)
    pad.pen_down(-400, -400)
    pad.pen_up()
    pad.clear()
    pad.replay(DrawnDigit(0, "all ink", 60, [[(0, y), (280, y)] for y in range(0, 281, 20)]))
    assert (pad.note, pad.answer) == (FULL_NOTE, None)


def test_a_stroke_outside_the_pad_is_no_ink(pad):
    pad.pen_down(-100, -100)
    pad.pen_move(-100, 400)
    pad.pen_up()
    assert pad.note == EMPTY_NOTE


def test_rows_are_shown_one_after_the_other(pad):
    pad.replay(SEVEN)
    pad.show_row(9)
    belief = pad.probabilities[8]
    assert pad.note == f"Row 9 of 28: so far a {belief.argmax()} ({belief.max():.0%})."
    html = " ".join(child.value for child in every_html(pad))
    assert 'alt="the digit as the network sees it: 28 × 28 pixels, read up to row 9"' in html
    assert html.count("◀ answer") == 1
    assert re.search(rf"{belief.max():.1%}</td><td>◀ answer", html)
    shown = base64.b64decode(re.search(r"base64,([^\"]+)", html)[1])
    ink = np.asarray(Image.open(io.BytesIO(shown)).convert("L"))[4::8, 4::8]
    np.testing.assert_array_equal(ink[:8] < 128, pad.image[:8] > 127)
    assert 'aria-live="polite"' in html


def every_html(widget):
    for child in getattr(widget, "children", ()):
        yield from every_html(child)
    if type(widget).__name__ == "HTML":
        yield widget


def test_reading_is_played_and_drawing_ends_it(pad, monkeypatch):
    monkeypatch.setattr("lstm_mnist.pad.ROW_TIME", 0.001)
    seen = []
    pad.replay(SEVEN)
    final = pad.note
    show_row = pad.show_row
    monkeypatch.setattr(pad, "show_row", lambda t: (show_row(t), seen.append(t)))

    async def play():
        pad.read()
        await pad._playing

    asyncio.run(play())
    assert seen == list(range(1, 29))
    assert pad.note == final

    async def interrupt():
        monkeypatch.setattr("lstm_mnist.pad.ROW_TIME", 60)
        pad.read()
        await asyncio.sleep(0.01)
        assert pad.note.startswith("Row 1 of 28")
        pad.pen_down(10, 10)
        assert pad.note == final
        await asyncio.sleep(0.01)
        pad.pen_up()
        assert len(pad.strokes) == len(SEVEN.strokes) + 1

    asyncio.run(interrupt())


def test_the_keyboard_draws_moves_undoes_and_clears(pad):
    def press(*keys, shift=False):
        for key in keys:
            send(pad, "key_down", key=key, shift_key=shift, ctrl_key=False, meta_key=False)

    press(*["ArrowDown"] * 12)
    assert len(pad.strokes) == 1
    assert pad.strokes[0][-1][1] > pad.strokes[0][0][1]  # y grows downwards
    assert pad.answer == 1
    press("ArrowRight", "ArrowRight", shift=True)
    press("ArrowUp")
    assert len(pad.strokes) == 2
    press("Backspace")
    assert len(pad.strokes) == 1
    press("Escape")
    assert pad.strokes == []
    press(*["ArrowLeft"] * 40, "Tab", "x")
    assert min(x for x, _ in pad.strokes[0]) == 0


def test_two_pads_do_not_share_anything(model):
    one, other = DigitPad(model), DigitPad(model)
    one.replay(SEVEN)
    assert (other.strokes, other.answer) == ([], None)


def test_the_printed_pad_holds_no_address(pad):
    pad.replay(SEVEN)
    assert (
        repr(pad) == f"DigitPad(2 strokes: {pad.note})"
        if len(SEVEN.strokes) == 2
        else f"DigitPad(1 stroke: {pad.note})"
    )
    assert "0x" not in repr(pad)


def test_a_model_for_other_rows_is_refused():
    with pytest.raises(ValueError, match="rows of 7 pixels"):
        DigitPad(LSTMClassifier(num_hidden=2, num_features=7))


def test_importing_the_package_needs_no_widgets():
    modules = [path for path in Path(plots.__file__).parent.glob("*.py") if path.stem != "drawing"]
    needs = re.compile(r"^(from|import) .*(ipycanvas|ipywidgets|drawing import)", re.M)
    assert not [path.name for path in modules if needs.search(path.read_text())]


# pictures of notebook 06


def test_preparation_shows_each_step_with_its_size():
    fig = plots.preparation({"cut": np.zeros((40, 30), np.uint8), "centred": np.zeros((28, 28), np.uint8)})
    assert [ax.get_title() for ax in fig.axes] == ["cut", "centred"]
    assert [ax.get_xlabel() for ax in fig.axes] == ["40 × 30 pixels", "28 × 28 pixels"]
    assert [line.get_ydata()[0] for line in fig.axes[1].lines][:1] == [14]


def test_reading_shows_belief_and_answer_of_each_row(pad):
    pad.replay(SEVEN)
    fig = plots.belief_by_row(pad.image, pad.probabilities)
    left, right = fig.axes[:2]
    assert np.array_equal(left.images[0].get_array(), pad.image)
    assert np.array_equal(right.images[0].get_array(), pad.probabilities)
    assert np.array_equal(right.lines[0].get_xdata(), pad.probabilities.argmax(axis=1))
