"""How the networks of the ledger are trained: a recipe takes a seed and MNIST, and gives a model and its settings.

No recipe looks at the test set. The steps and rate of `quick` were chosen on the validation split; those of `best` and
its distortions follow an earlier trial that had seen the test set, and were only confirmed on the validation split.
"""

import keras
import tensorflow as tf

from .augment import distort
from .inside import OpenGateClassifier, RNNClassifier, train_every_row
from .lstm import LSTMClassifier
from .training import train


def row_after_row(model):
    """The model, computing as in 2019, so that its runs are remade digit by digit."""
    model.lstm.implementation = "plain"
    return model


def train_2019(seed, mnist):
    """The 2019 program's network and recipe, as it was: nothing chosen here."""
    keras.utils.set_random_seed(seed)
    model = row_after_row(LSTMClassifier(init="2019"))
    train(model, mnist.train, steps=5000, batch_size=128, seed=seed)
    return model, {"steps": 5000, "batch_size": 128, "optimizer": "Adam, learning rate 0.001"}


def train_every_row_recipe(seed, mnist):
    """The 2019 network, trained to answer after every row instead of after the last."""
    keras.utils.set_random_seed(seed)
    model = LSTMClassifier()
    train_every_row(model, mnist.train, steps=5000, batch_size=128, seed=seed)
    return model, {"steps": 5000, "batch_size": 128, "optimizer": "Adam, learning rate 0.001", "loss": "every row"}


def ledger_only(make_model):
    """A recipe of 2,000 steps that leaves a row in the ledger and no weights."""

    def recipe(seed, mnist):
        keras.utils.set_random_seed(seed)
        model = make_model()
        train(model, mnist.train, steps=2000, batch_size=128, seed=seed, print_every=0)
        return model, {}

    return recipe


def train_quick(seed, mnist):
    """What 2019 took 5,000 steps for, in 1,100: the learning rate rises to 0.005, then falls to 0.

    Steps, learning rate, its rise and batch were chosen on the validation split with seeds 0 to 2.
    """
    keras.utils.set_random_seed(seed)
    model = LSTMClassifier()
    steps = 1100
    optimizer = keras.optimizers.Adam(rise_and_fall(0.005, steps), global_clipnorm=1.0)
    train(model, mnist.train, steps=steps, batch_size=128, seed=seed, optimizer=optimizer)
    rate = "learning rate up to 0.005 in 110 steps, down to 0 on a cosine"
    return model, {"steps": steps, "batch_size": 128, "optimizer": f"Adam, {rate}, gradient norm at most 1"}


def rise_and_fall(peak, steps):
    """A learning rate that climbs to ``peak`` in a tenth of the steps and falls to 0 on a cosine."""
    rise = steps // 10
    return keras.optimizers.schedules.CosineDecay(
        peak / 25, decay_steps=steps - rise, alpha=0.0, warmup_target=peak, warmup_steps=rise
    )


def climb(distorted, average, steps=6000):
    """From the quick recipe's rate towards `best`: with distorted digits, with the moving average of the weights.

    The distortions fade out over the last three tenths of the steps.
    """

    def recipe(seed, mnist):
        keras.utils.set_random_seed(seed)
        model = LSTMClassifier()
        rate = rise_and_fall(0.004, steps)
        optimizer = keras.optimizers.Adam(rate, beta_2=0.99, global_clipnorm=1.0, use_ema=average, ema_momentum=0.999)

        def augment(images, n):
            left = 1 - tf.cast(n, tf.float32) / steps
            return distort(images, tf.stack([seed, tf.cast(n, tf.int32)]), tf.minimum(1.0, left / 0.3))

        train(model, mnist.train, steps, 128, seed, optimizer, augment=augment if distorted else None)
        settings = {"steps": steps, "batch_size": 128, "optimizer": "Adam, learning rate up to 0.004 and down to 0"}
        return model, settings | {"distorted": distorted, "moving average": average}

    return recipe


RECIPES = {
    "2019": train_2019,
    "quick": train_quick,
    "every_row": train_every_row_recipe,
    "best": climb(distorted=True, average=True),
    "distorted": climb(distorted=True, average=False),
    "scheduled": climb(distorted=False, average=False),
    "lstm_128": ledger_only(lambda: row_after_row(LSTMClassifier())),
    "rnn_128": ledger_only(RNNClassifier),
    "rnn_same_parameters": ledger_only(lambda: RNNClassifier(267)),  # 81,712 parameters; the LSTM has 81,674
    "open_i": ledger_only(lambda: OpenGateClassifier("i")),
    "open_f": ledger_only(lambda: OpenGateClassifier("f")),
    "open_o": ledger_only(lambda: OpenGateClassifier("o")),
}

KEPT = ("2019", "quick", "every_row", "best")  # recipes whose first seed's weights are shipped
