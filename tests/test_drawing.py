import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from PIL import Image, ImageFilter

from lstm_mnist import DataError, load_mnist, load_pretrained, plots
from lstm_mnist.drawing import (
    REASONS,
    load_drawn_digits,
    rasterise,
    read_picture,
    to_mnist,
    why_no_digit,
)
from lstm_mnist.evaluation import predict_probabilities

DRAWN = load_drawn_digits()
SEVEN = next(d for d in DRAWN if (d.digit, d.way) == (7, "plain"))


@pytest.fixture(scope="module")
def model():
    return load_pretrained("2019")


@pytest.fixture(scope="module")
def test_digits():
    test = load_mnist().test
    return test.images[:1000], test.labels[:1000]


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
    assert sorted(Counter(image[image > 0].tolist())) == [128, 191, 255]  # 191.25 and 127.5, rounded


def test_accuracy_survives_the_round_trip(model, test_digits):
    """Enlarged tenfold, scanned in black and white and off-centre, 1,000 test digits lose at most one point."""
    images, labels = test_digits
    before = accuracy(model, images, labels)
    back = [to_mnist(np.pad(np.where(enlarged(i) > 127, 255, 0).astype(np.uint8), ((0, 50), (90, 0)))) for i in images]
    smooth = [to_mnist(enlarged(i, times=7)) for i in images]
    assert accuracy(model, back, labels) >= before - 0.01
    assert accuracy(model, smooth, labels) >= before - 0.01


def test_thicker_and_smaller_digits_stay_readable(model, test_digits):
    images, labels = (part[:200] for part in test_digits)
    thick = [to_mnist(np.asarray(Image.fromarray(enlarged(i, 4)).filter(ImageFilter.MaxFilter(3)))) for i in images]
    small = [to_mnist(np.asarray(Image.fromarray(i).resize((14, 14), Image.Resampling.BOX))) for i in images]
    assert accuracy(model, thick, labels) >= accuracy(model, images, labels) - 0.02
    assert accuracy(model, small, labels) >= accuracy(model, images, labels) - 0.03


@pytest.mark.parametrize(
    ("ink", "message"),
    [
        (np.zeros((280, 280), np.uint8), "empty"),
        (np.zeros((28, 28, 3), np.uint8), r"\[28, 28, 3\]"),
        (np.zeros((0, 28), np.uint8), r"\[0, 28\]"),
        (np.ones((28, 28), np.int64), "int64"),
        (np.ones((28, 28), bool), "bool"),
        (np.full((28, 28), 255.0), "float64"),
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
    assert np.array_equal(dot[:100], dot[:100][::-1])
    assert np.array_equal(dot[:, :200], dot[:, :200][:, ::-1])
    line = rasterise([[(50, 100), (150, 100)]], pen_width=10)
    assert (line[100, 50:150] == 255).all()
    assert np.count_nonzero(line[:, 100] > 127) == pytest.approx(10, abs=1)
    assert np.flatnonzero(line.any(axis=0)).tolist() == [*range(45, 155)]


@pytest.mark.parametrize("point", [(np.nan, 1), (1, np.inf), (1,), None])
def test_a_point_that_is_no_pair_of_numbers_is_refused(point):
    with pytest.raises(ValueError, match=r"a stroke is a list of points \(x, y\), finite numbers"):
        rasterise([[point]])


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


@pytest.mark.parametrize("colour", ["black", "white", "red"])
def test_ink_on_transparent_paper_is_found(model, tmp_path, colour):
    alpha = Image.fromarray(rasterise(SEVEN.strokes))
    picture = Image.new("RGBA", alpha.size, colour)
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


def photo_of(ink):
    """Pen on paper, a little noisy: float ``[height, width]``, for ink 0..1."""
    return 230 - 190 * ink + np.random.default_rng(0).normal(0, 4, ink.shape)


def read_back(picture, tmp_path):
    Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(tmp_path / "picture.png")
    return to_mnist(read_picture(tmp_path / "picture.png"))


def with_border(ink, width=20):
    picture = photo_of(ink)
    picture[:width], picture[-width:], picture[:, :width], picture[:, -width:] = 40, 40, 40, 40
    return picture


def with_table(ink):
    down, across = np.indices(ink.shape)
    return np.where(across + 0.2 * down < 50, 60, photo_of(ink))


def beside(ink, other):
    parts = [part[:, part.any(axis=0)] for part in (ink, other)]
    return photo_of(np.pad(np.hstack([parts[0], np.zeros((280, 30)), parts[1]]), 30))


def half_black(ink):
    return np.where(np.arange(280) < 140, 20, 240) * np.ones_like(ink)


def mostly_ink(ink):
    return np.where(np.pad(np.zeros((160, 160)), 60, constant_values=1) == 0, 20, 235)


def dot(ink):
    return photo_of(rasterise([[(140, 140)]]) / 255)


INKS = [rasterise(d.strokes, d.pen_width) / 255 for d in DRAWN]


@pytest.mark.parametrize("kind", [with_border, with_table, half_black, mostly_ink, dot])
def test_pictures_that_are_not_one_digit_on_plain_paper_are_refused(kind, tmp_path):
    refused = 0
    for ink in INKS[::4]:
        try:
            read_back(kind(ink), tmp_path)
        except DataError:
            refused += 1
    assert refused >= 0.9 * len(INKS[::4])


def test_two_digits_are_refused_and_one_never(tmp_path):
    refused = 0
    for k in range(0, 80, 4):
        read_back(photo_of(INKS[k]), tmp_path)
        try:
            read_back(beside(INKS[k], INKS[(7 * k + 13) % 80]), tmp_path)
        except DataError:
            refused += 1
    assert refused >= 18


def test_mnists_own_digits_are_digits():
    """At most one in 500 of the first 10,000 is taken for something else."""
    images = load_mnist().train.images[:10_000]
    assert sum(why_no_digit(image) is not None for image in images) <= 20


def test_each_reason_is_found():
    wide, two, blot = np.zeros((3, 28, 28), np.uint8)
    wide[13:15, 4:24] = 255
    two[4:24, 5:8] = two[4:24, 18:21] = 255
    blot[4:24, 4:24] = 255
    images = {"faint": np.zeros((28, 28), np.uint8), "wide": wide, "two": two, "blot": blot}
    assert {why_no_digit(image) for image in images.values()} == set(REASONS) - {"empty"}
    for reason, image in images.items():
        assert why_no_digit(image) == reason
    two[14, 5:20] = 255  # now an H of one piece
    assert why_no_digit(two) is None


def test_faint_or_scattered_ink_is_refused():
    mask = (rasterise(SEVEN.strokes) > 127).astype(np.uint8)
    with pytest.raises(ValueError, match="too faint or too thin"):
        to_mnist(mask)
    specks = np.zeros((1000, 1000), np.uint8)
    specks[0, 0] = specks[-1, -1] = 255
    with pytest.raises(ValueError, match="too faint or too thin"):
        to_mnist(specks)


def test_huge_pictures_are_refused_before_they_are_unpacked(tmp_path):
    Image.new("1", (10_000, 6_000)).save(tmp_path / "huge.png")
    with pytest.raises(DataError, match="10000 x 6000 pixels"):
        read_picture(tmp_path / "huge.png")


def test_a_blank_sheet_has_no_ink(tmp_path):
    sheet = np.random.default_rng(0).normal(200, 5, (300, 200)).clip(0, 255).astype(np.uint8)
    Image.fromarray(sheet).save(tmp_path / "sheet.png")
    with pytest.raises(DataError, match="the drawing is empty"):
        read_picture(tmp_path / "sheet.png")


def test_what_is_no_picture_is_refused(tmp_path):
    (tmp_path / "page.png").write_text("<html>404</html>")
    Image.fromarray(rasterise(SEVEN.strokes)).save(tmp_path / "whole.png")
    (tmp_path / "half.png").write_bytes((tmp_path / "whole.png").read_bytes()[:300])
    Image.new("L", (3, 3000), "white").save(tmp_path / "line.png")
    Image.fromarray(np.full((99, 99), 60_000, np.uint16)).save(tmp_path / "deep.png")  # 16 bits a pixel
    for name in ("page.png", "half.png", "line.png", "deep.png", "missing.png", ""):
        with pytest.raises(DataError, match="no picture"):
            read_picture(tmp_path / name)


# pictures of notebook 06


def test_preparation_shows_each_step_with_its_size():
    fig = plots.preparation({"cut": np.zeros((40, 30), np.uint8), "centred": np.zeros((28, 28), np.uint8)})
    assert [ax.get_title() for ax in fig.axes] == ["cut", "centred"]
    assert [ax.get_xlabel() for ax in fig.axes] == ["40 × 30 pixels", "28 × 28 pixels"]
    assert [line.get_ydata()[0] for line in fig.axes[1].lines][:1] == [14]


def test_bringing_drawings_to_mnists_form_needs_no_widget():
    code = "import sys, lstm_mnist.drawing, lstm_mnist.plots; assert not {'anywidget', 'ipywidgets'} & {*sys.modules}"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
