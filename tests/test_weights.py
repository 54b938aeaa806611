"""The commands; those that train are given a recipe that needs no training."""

from types import SimpleNamespace

import numpy as np
import pytest

from lstm_mnist.better.ledger import read_table
from lstm_mnist.commands import weights

LABELS = np.array([0, 1, 2, 3], np.uint8)


class Surest:
    """Answers ``digits``, the surer the larger ``logit``, one for all or one each."""

    def __init__(self, digits, logit):
        self.logits = np.multiply(logit, np.eye(10)[digits]).astype(np.float32)

    def predict(self, images, **_):
        return self.logits

    def count_params(self):
        return 7


class Recipe:
    def __init__(self, models):
        self.models = models

    def train(self, seed, mnist):
        return self.models[seed]

    def settings(self):
        return {}


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    """The rows that the command writes about three networks: two that are unsure, and one that is surer."""
    models = [Surest([0, 1, 2, 3], 1.5), Surest([0, 1, 9, 3], 1.5), Surest([9, 9, 2, 9], [[3], [2], [2], [2]])]
    split = SimpleNamespace(images=np.zeros((4, 28, 28), np.uint8), labels=LABELS)
    splits = SimpleNamespace(train=None, validation=split, test=split)
    monkeypatch.setattr(weights, "RECIPES", {"digits": Recipe(models)})
    monkeypatch.setattr(weights, "load_mnist", lambda: splits)
    monkeypatch.setattr(weights, "load_idx", lambda folder: splits)

    def run(*arguments, **options):
        weights.weights("digits", *arguments, ledger=tmp_path / "ledger.csv", **options)
        return read_table(tmp_path / "ledger.csv")

    return run


def test_each_seed_is_a_row_and_a_second_run_replaces_it(ledger):
    ledger([2, 1, 0])
    rows = ledger([1])
    assert [(row["name"], row["seed"], row["test_accuracy"]) for row in rows] == [
        ("digits", 0, 1.0),
        ("digits", 1, 0.75),
        ("digits", 2, 0.25),
    ]
    assert rows[1]["command"] == "python -m lstm_mnist weights digits --seeds 1"
    assert rows[1]["parameters"] == 7
    right, wrong = np.exp(1.5) / (np.exp(1.5) + 9), 1 / (np.exp(1.5) + 9)
    assert rows[0]["validation_loss"] == pytest.approx(-np.log(right), abs=1e-5)
    assert rows[1]["validation_loss"] == pytest.approx(-np.log([right, right, wrong, right]).mean(), abs=1e-5)


def test_networks_together_answer_with_the_mean_of_their_probabilities(ledger):
    together = ledger([0, 1, 2], together=True)[0]
    assert (together["name"], together["seed"], together["parameters"]) == ("3 x digits", 0, 21)
    assert together["command"] == "python -m lstm_mnist weights digits --seeds 0 1 2 --together"
    assert together["test_accuracy"] == 0.75  # a vote would have 1, as the first, and the surest of the three 0.25


def test_other_data_come_first_in_the_name_and_last_in_the_command(ledger):
    (row,) = ledger([0], data="somewhere/clothes")
    assert row["name"] == "clothes/digits"
    assert row["command"] == "python -m lstm_mnist weights digits --seeds 0 --data somewhere/clothes"


def test_a_recipe_with_kept_weights_keeps_those_of_the_first_seed_on_mnist_alone(tmp_path, ledger, monkeypatch):
    kept = []
    monkeypatch.setattr(weights, "KEPT", ("digits",))
    monkeypatch.setattr(weights, "save_pretrained", lambda model, path, recipe: kept.append((path.name, recipe)))
    ledger([1])
    ledger([0], data="somewhere/clothes")
    assert not kept
    ledger([0])
    assert kept[0][0] == "digits.npz"
    assert kept[0][1]["validation_accuracy"] == 1.0


def test_without_a_folder_a_run_is_printed_and_nothing_written(tmp_path, ledger, monkeypatch, capsys):
    monkeypatch.setattr(weights, "KEPT", ("digits",))
    monkeypatch.setattr(weights, "save_pretrained", None)
    weights.weights("digits", [0])
    assert "'test_accuracy': 1.0" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
