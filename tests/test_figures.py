"""The moving picture of README."""

from pathlib import Path

import numpy as np
from PIL import Image

import lstm_mnist
from lstm_mnist import plots
from lstm_mnist.commands.figures import reading_frame, save_animation
from lstm_mnist.plots.inside import STATE_TITLES


def test_a_reading_frame_shows_only_what_has_been_read():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (28, 28), np.uint8)
    states = {name: rng.random((28, 8)) for name in STATE_TITLES}
    belief = rng.dirichlet(np.ones(10), 28)
    fig = reading_frame(image, states, belief, 10)
    digit, *maps = fig.subfigs[0].axes[: 1 + len(states)]
    for ax, (name, values) in zip(maps, states.items(), strict=True):
        shown = ax.images[0].get_array()
        assert shown.shape == (28, 8)
        assert np.ma.getmaskarray(shown)[10:].all()
        assert ax.get_ylim() == (27.5, -0.5)
        np.testing.assert_allclose(shown[:10], values[:10], err_msg=name)
    assert digit.get_title() == "row 10 of 28"
    bars = fig.subfigs[1].axes[0]
    np.testing.assert_allclose([bar.get_height() for bar in bars.patches], belief[9])
    assert f"{belief[9].argmax()}, " in bars.get_title()


def test_animation_keeps_every_frame_and_leaves_nothing_beside(tmp_path):
    figures = [plots.lines([0, 1], {"a": [0, k]}, "x", "y") for k in range(3)]
    save_animation(figures, tmp_path / "a.gif", [100, 200, 300], dpi=20)
    assert [file.name for file in tmp_path.iterdir()] == ["a.gif"]
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 3
        assert gif.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
        durations = []
        for k in range(3):
            gif.seek(k)
            durations.append(gif.info["duration"])
    assert durations == [100, 200, 300]


def test_the_hero_is_small_enough_to_share():
    path = Path(lstm_mnist.__file__).parents[1] / "figures" / "hero.gif"
    assert path.stat().st_size < 2_000_000
    with Image.open(path) as gif:
        assert gif.n_frames == 28
        assert gif.size[0] >= 800
