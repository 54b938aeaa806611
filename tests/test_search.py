from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from lstm_mnist.better import recipes
from lstm_mnist.better.ledger import read_table
from lstm_mnist.commands import search


def test_settings_are_drawn_from_their_ranges_the_same_ones_at_every_run():
    settings = search.draw(40)
    assert settings == search.draw(40) != search.draw(40, seed=1)
    assert settings[:5] == search.draw(5)
    assert set(settings[0]) == {"peak", "beta_2", "average", "fade", *recipes.CHANGES}
    widest = {"peak": 0.01, "degrees": 20, "scale": 0.2, "shear": 0.3, "shift": 3, "bend": 1.2}
    for name, most in widest.items():
        values = [one[name] for one in settings]
        assert max(values) <= most < 1.2 * max(values)
        assert 0 <= min(values) < most / 5
    assert {one["beta_2"] for one in settings} == {0.99, 0.999}
    assert {one["average"] for one in settings} == {True, False}


def test_each_round_keeps_the_better_half_and_the_best_comes_last(tmp_path, monkeypatch):
    def try_out(settings, steps):
        return {"validation_loss": settings["degrees"] / steps, "validation_accuracy": 0.5}

    monkeypatch.setattr(search, "try_out", try_out)
    monkeypatch.setattr(search, "ProcessPoolExecutor", lambda *_: ThreadPoolExecutor(2))
    search.search(tmp_path / "search.csv", ((8, 10), (4, 20), (2, 40)))
    rows = read_table(tmp_path / "search.csv")
    degrees = sorted((one["degrees"] for one in search.draw(8)), reverse=True)
    assert [row["degrees"] for row in rows] == [*degrees, *degrees[4:], *degrees[6:]]
    assert [row["steps"] for row in rows] == [10] * 8 + [20] * 4 + [40] * 2
    assert [path.name for path in tmp_path.iterdir()] == ["search.csv"]


def test_the_stored_table_is_what_the_search_writes():
    settings, rest = search.draw(search.ROUNDS[0][0]), recipes.read_search()
    numbers = set(range(len(settings)))
    for count, steps in search.ROUNDS:
        played, rest = rest[:count], rest[count:]
        assert {row["steps"] for row in played} == {steps}
        assert {row["number"] for row in played} == numbers
        for row in played:
            assert {name: row[name] for name in settings[0]} == settings[row["number"]]
        losses = [row["validation_loss"] for row in played]
        assert losses == sorted(losses, reverse=True)
        numbers = {row["number"] for row in played[count // 2 :]}
    assert not rest


@pytest.mark.parametrize("split", ["test", "train"])
def test_what_is_tried_out_is_measured_on_the_validation_split_alone(split, monkeypatch):
    mnist = search.load_mnist()
    others = {name: getattr(mnist, name) for name in ("train", "validation", "test")} | {split: None}
    monkeypatch.setattr(search, "recipe_of", lambda settings, steps: SimpleNamespace(train=lambda *_: Always7()))
    monkeypatch.setattr(search, "load_mnist", lambda: SimpleNamespace(**others))
    sevens = np.mean(mnist.validation.labels == 7)
    assert search.try_out({}, 1)["validation_accuracy"] == pytest.approx(sevens)


class Always7:
    def predict(self, images, **_):
        return 9 * np.eye(10, dtype=np.float32)[np.full(len(images), 7)]
