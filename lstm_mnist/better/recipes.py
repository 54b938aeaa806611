"""How the networks of the ledger are trained: ``RECIPES[name].train(seed, mnist)`` gives one of them.

No recipe looks at the test images. On the validation split were chosen: by hand the steps and rate of `quick`, all
settings of `quickest` (after about a hundred others, one to five seeds each) and what `sturdy` is shown; by ``search``
the settings of `best`. The steps of `best`, the steps, rate and dropout of `renet`, and by how much each lever of 4,000
steps is moved were set beforehand.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import keras
import tensorflow as tf

from ..inside import EveryRowClassifier, OneTanhClassifier, OpenGateClassifier, RNNClassifier
from ..lstm import LSTMClassifier
from ..pretrained import WEIGHTS_FOLDER
from ..training import compute_gradients, train
from . import levers, networks
from .distortions import distort, disturb, on_changed
from .ledger import read_table

SEARCHED = WEIGHTS_FOLDER / "search.csv"
CHANGES = ("degrees", "scale", "shear", "shift", "bend")  # of ``distort``


@dataclass(frozen=True)
class Recipe:
    """A network and all settings of its training."""

    make_model: Callable = LSTMClassifier
    steps: int = 5000
    peak: float | None = None  # of a learning rate that rises and falls; None: 0.001 throughout, as in 2019
    beta_2: float = 0.999  # of Adam
    average: bool = False  # answer with the moving average of the weights
    muon: bool = False  # ``levers.GateMuon`` for the recurrent kernel, Adam at half its rate for all else
    changes: dict = field(default_factory=dict)  # of ``distort``; none: digits as they are
    fade: float = 0.0  # the last part of the steps in which the changes fade out
    disturbed: dict = field(default_factory=dict)  # of ``disturb``; none: no noise, no missing rows
    batch_size: int = 128
    compute: Callable = compute_gradients  # of ``train``
    teacher: str | None = None  # the recipe whose network of seed 0 is trained first, and then asked

    def optimizer(self):
        """A fresh one."""
        rate, how = 0.001, {"use_ema": self.average, "ema_momentum": 0.999}
        if self.peak is not None:
            rate, how["global_clipnorm"] = rise_and_fall(self.peak, self.steps), 1.0
        if self.muon:
            how |= {"momentum": 0.9, "rms_rate": None, "weight_decay": None, "adam_weight_decay": None}
            how |= {"adam_lr_ratio": 0.5, "adam_beta_2": self.beta_2}
            return levers.GateMuon(rate, exclude_layers=["/kernel"], **how)
        return keras.optimizers.Adam(rate, beta_2=self.beta_2, **how)

    def change(self, seed):
        """What batch ``n`` of uint8 images looks like to the network: a function ``(images, n)``."""

        def distorted(images, n):
            amount = 1.0
            if self.fade:
                left = 1 - tf.cast(n, tf.float32) / self.steps
                amount = tf.minimum(1.0, left / self.fade)
            n = tf.cast(n, tf.int32)
            changed = images
            if self.changes:
                changed = distort(images, tf.stack([seed, n]), amount, **self.changes)
            if self.disturbed:
                changed = disturb(changed, tf.stack([seed + 1_000_000, n]), **self.disturbed)
            return changed

        return distorted

    def train(self, seed, mnist):
        """A model trained on ``mnist.train``."""
        compute = self.compute
        if self.teacher:
            compute = levers.taught(RECIPES[self.teacher].train(0, mnist))
        if self.changes or self.disturbed:
            compute = on_changed(self.change(seed), compute)
        keras.utils.set_random_seed(seed)
        model = self.make_model()
        train(model, mnist.train, self.steps, self.batch_size, seed, self.optimizer(), compute)
        return model

    def settings(self):
        """What weights files say of the training."""
        kind = "Muon for the recurrent kernel, Adam at half the rate for all else" if self.muon else "Adam"
        rate = "0.001"
        if self.peak is not None:
            rate = f"up to {self.peak} in a tenth of the steps, down to 0 on a cosine, norm <= 1"
        optimizer = f"{kind}, learning rate {rate}"
        settings = {"steps": self.steps, "batch_size": self.batch_size, "optimizer": optimizer, "beta_2": self.beta_2}
        settings |= {"moving average": self.average, "distortions": self.changes, "fade": self.fade}
        return settings | ({"disturbed": self.disturbed} if self.disturbed else {})


def rise_and_fall(peak, steps):
    """A learning rate that climbs to ``peak`` in a tenth of the steps and falls to 0 on a cosine."""
    rise = steps // 10
    return keras.optimizers.schedules.CosineDecay(
        peak / 25, decay_steps=steps - rise, alpha=0.0, warmup_target=peak, warmup_steps=rise
    )


def read_search():
    """The runs of ``search``, a dict each: round after round, the best of each round last."""
    return read_table(SEARCHED)


def searched(number=None):
    """The settings that ``search`` found, or those of setting ``number``, by the names of ``search.draw``."""
    rows = read_search()
    if number is not None:
        rows = [row for row in rows if row["number"] == number]
    row = rows[-1]
    return {name: row[name] for name in ("average", "peak", "beta_2", "fade", *CHANGES)}


def recipe_of(settings, steps):
    """The ``Recipe`` with settings as ``search.draw`` gives them."""
    changes = {name: settings[name] for name in CHANGES}
    others = {name: value for name, value in settings.items() if name not in CHANGES}
    return Recipe(steps=steps, changes=changes, **others)


def as_in_2019():
    """The network of 2019, computing row after row as then, so that its runs are remade digit by digit."""
    return _row_after_row(LSTMClassifier(init="2019"))


def _row_after_row(model):
    model.lstm.implementation = "plain"
    return model


QUICK = Recipe(steps=1100, peak=0.005)
BEST = recipe_of(searched(), steps=12_000)  # what ten minutes on one core allow
RENET = replace(BEST, make_model=networks.renet, steps=4000, peak=0.004)
SHORT_BEST = replace(BEST, steps=4000)
STRONGER = {name: 1.5 * size for name, size in BEST.changes.items()}
SHORT = Recipe(steps=2000)
PIXELS = Recipe(steps=600, peak=0.005)  # a step takes dozens of times as long as one of 28 rows

RECIPES = {
    "2019": Recipe(as_in_2019),
    "falling": Recipe(peak=0.001),
    "longer_falling": Recipe(steps=12_000, peak=0.001),
    "scheduled": replace(BEST, changes={}, fade=0.0),
    "distorted": replace(BEST, fade=0.0),
    "best": BEST,
    "best_8000": replace(BEST, steps=8000),
    "best_24000": replace(BEST, steps=24_000),
    "best_48000": replace(BEST, steps=48_000),
    "best_96000": replace(BEST, steps=96_000),
    "best_4000": SHORT_BEST,
    "setting_6_4000": recipe_of(searched(6), steps=4000),  # these three and `best` were the last round of the search
    "setting_11_4000": recipe_of(searched(11), steps=4000),
    "setting_13_4000": recipe_of(searched(13), steps=4000),
    "stronger_4000": replace(SHORT_BEST, changes=STRONGER),
    "stronger_12000": replace(BEST, changes=STRONGER),
    "smoothed_4000": replace(SHORT_BEST, compute=levers.smoothed()),
    "dropped_4000": replace(SHORT_BEST, make_model=networks.recurrent_dropout),
    "averaged_4000": replace(SHORT_BEST, average=True),
    "larger_late_4000": replace(SHORT_BEST, batch_size=512, compute=levers.fewer_at_first(128, until=2800)),
    "helped_4000": replace(SHORT_BEST, make_model=EveryRowClassifier, compute=levers.helped_by_every_row()),
    "taught_4000": replace(SHORT_BEST, teacher="renet_12000"),
    "sturdy": replace(BEST, disturbed={"noise": 0.3, "missing_rows": 4}),
    "quick": QUICK,
    "quickest": Recipe(steps=430, peak=0.03, beta_2=0.99, muon=True),
    "every_row": Recipe(lambda: _row_after_row(EveryRowClassifier())),
    "best_every_row": replace(BEST, make_model=EveryRowClassifier),
    "best_two_layers": replace(BEST, make_model=networks.two_layers),
    "best_bidirectional": replace(BEST, make_model=networks.bidirectional),
    "renet": RENET,
    "renet_12000": replace(RENET, steps=12_000),
    "lstm_128": replace(SHORT, make_model=lambda: _row_after_row(LSTMClassifier())),
    "rnn_128": replace(SHORT, make_model=RNNClassifier),
    "rnn_same_parameters": replace(SHORT, make_model=lambda: RNNClassifier(267)),  # 81,712 weights; the LSTM has 81,674
    "open_i": replace(SHORT, make_model=lambda: OpenGateClassifier("i")),
    "open_f": replace(SHORT, make_model=lambda: OpenGateClassifier("f")),
    "open_o": replace(SHORT, make_model=lambda: OpenGateClassifier("o")),
    "one_tanh": replace(SHORT, make_model=OneTanhClassifier),
    "relu": replace(SHORT, make_model=networks.relu),
    "no_forget_bias": replace(SHORT, make_model=lambda: _row_after_row(networks.without_forget_bias())),
    "softmax_twice": Recipe(lambda: networks.SoftmaxTwice(init="2019")),
    "rnn": replace(QUICK, make_model=RNNClassifier),
    "dropout": replace(QUICK, make_model=networks.dropout),
    "recurrent_dropout": replace(QUICK, make_model=networks.recurrent_dropout),
    "gru": replace(QUICK, make_model=networks.gru),
    "logistic_regression": replace(QUICK, make_model=networks.logistic_regression),
    "mlp": replace(QUICK, make_model=networks.mlp),
    "convolutional": replace(QUICK, make_model=networks.convolutional),
    "two_layers": replace(QUICK, make_model=networks.two_layers),
    "bidirectional": replace(QUICK, make_model=networks.bidirectional),
    "four_ways": replace(QUICK, make_model=networks.four_ways),
    "columns": replace(QUICK, make_model=networks.columns),
    "rows_and_columns": replace(QUICK, make_model=networks.rows_and_columns),
    "patches": replace(QUICK, make_model=networks.patches),
    "shuffled_rows": replace(QUICK, make_model=networks.shuffled_rows),
    "units_32": replace(QUICK, make_model=lambda: LSTMClassifier(32)),
    "units_512": replace(QUICK, make_model=lambda: LSTMClassifier(512)),
    "pixels": replace(PIXELS, make_model=networks.pixels),
    "rnn_pixels": replace(PIXELS, make_model=lambda: networks.pixels(keras.layers.SimpleRNN)),
    "pixels_shuffled": replace(PIXELS, make_model=lambda: networks.pixels(shuffled=True)),
    "rnn_pixels_shuffled": replace(PIXELS, make_model=lambda: networks.pixels(keras.layers.SimpleRNN, shuffled=True)),
}

# recipes whose first seed's weights are shipped
KEPT = ("2019", "quick", "every_row", "best", "best_every_row", "sturdy")
