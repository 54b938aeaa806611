"""How the networks of the ledger are trained: a recipe takes a seed and MNIST, and gives a model and its settings.

No recipe looks at the test set. The steps and rate of `quick` were chosen on the validation split by hand, the settings
of `best` by ``search``, also on the validation split. The steps of `best` and the steps and rate of `renet` were set
beforehand.
"""

import keras
import tensorflow as tf

from ..inside import OpenGateClassifier, RNNClassifier, train_every_row
from ..lstm import LSTMClassifier
from ..pretrained import WEIGHTS_FOLDER
from ..training import compute_gradients, train
from . import networks
from .distortions import distort, on_changed
from .ledger import read_table

FOUND = WEIGHTS_FOLDER / "search.csv"
STEPS = 12_000  # of `best`: what ten minutes on one core allow


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
        train(model, mnist.train, steps=2000, batch_size=128, seed=seed, watchers=())
        return model, {}

    return recipe


def quick(make_model):
    """What 2019 took 5,000 steps for, in 1,100: the learning rate rises to 0.005, then falls to 0.

    Steps, learning rate, its rise and batch were chosen on the validation split with seeds 0 to 2, for the LSTM.
    """

    def recipe(seed, mnist):
        keras.utils.set_random_seed(seed)
        model = make_model()
        steps = 1100
        optimizer = keras.optimizers.Adam(rise_and_fall(0.005, steps), global_clipnorm=1.0)
        train(model, mnist.train, steps=steps, batch_size=128, seed=seed, optimizer=optimizer)
        rate = "learning rate up to 0.005 in 110 steps, down to 0 on a cosine"
        return model, {"steps": steps, "batch_size": 128, "optimizer": f"Adam, {rate}, gradient norm at most 1"}

    return recipe


def rise_and_fall(peak, steps):
    """A learning rate that climbs to ``peak`` in a tenth of the steps and falls to 0 on a cosine."""
    rise = steps // 10
    return keras.optimizers.schedules.CosineDecay(
        peak / 25, decay_steps=steps - rise, alpha=0.0, warmup_target=peak, warmup_steps=rise
    )


def climb(steps, peak, beta_2, average, fade=0.0, make_model=LSTMClassifier, **changes):
    """A recipe beyond `quick`: distorted digits, and, for ``average``, the moving average of the weights.

    ``changes`` are those of ``distort``, none without; they fade out over the last ``fade`` (a part) of the steps.
    """

    def recipe(seed, mnist):
        keras.utils.set_random_seed(seed)
        model = make_model()
        rate = rise_and_fall(peak, steps)
        optimizer = keras.optimizers.Adam(rate, beta_2=beta_2, global_clipnorm=1.0, use_ema=average, ema_momentum=0.999)

        def augment(images, n):
            left = 1 - tf.cast(n, tf.float32) / steps
            amount = tf.minimum(1.0, left / fade) if fade else 1.0
            return distort(images, tf.stack([seed, tf.cast(n, tf.int32)]), amount, **changes)

        compute = on_changed(augment) if changes else compute_gradients
        train(model, mnist.train, steps, 128, seed, optimizer, compute)
        settings = {"steps": steps, "batch_size": 128, "optimizer": f"Adam, learning rate up to {peak} and down to 0"}
        return model, settings | {"beta_2": beta_2, "moving average": average, "fade": fade, "distortions": changes}

    return recipe


def read_search():
    """The runs of ``search``, a dict each: round after round, the best of each round last."""
    return read_table(FOUND)


def found():
    """The settings of ``climb`` that ``search`` found."""
    row = read_search()[-1]
    names = ("average", "peak", "beta_2", "fade", "degrees", "scale", "shear", "shift", "bend")
    return {name: row[name] for name in names}


def train_best(seed, mnist):
    """The settings that the search found, for more steps."""
    return climb(STEPS, **found())(seed, mnist)


def train_renet(seed, mnist):
    """The settings that the search found for the LSTM, for a larger network that is not limited to rows."""
    return climb(4000, **found() | {"peak": 0.004}, make_model=networks.renet)(seed, mnist)


def train_distorted(seed, mnist):
    """`best` with distortions that do not fade."""
    return climb(STEPS, **found() | {"fade": 0.0})(seed, mnist)


def train_scheduled(seed, mnist):
    """`best` without distortions: only its learning rate is left."""
    settings = found()
    return climb(STEPS, **{name: settings[name] for name in ("peak", "beta_2", "average")})(seed, mnist)


NEIGHBOURS = (
    *("logistic_regression", "mlp", "convolutional", "gru", "two_layers", "bidirectional", "four_ways"),
    *("columns", "rows_and_columns", "patches", "shuffled_rows"),
)

RECIPES = {
    "2019": train_2019,
    "quick": quick(LSTMClassifier),
    "every_row": train_every_row_recipe,
    "best": train_best,
    "distorted": train_distorted,
    "scheduled": train_scheduled,
    "lstm_128": ledger_only(lambda: row_after_row(LSTMClassifier())),
    "rnn_128": ledger_only(RNNClassifier),
    "rnn_same_parameters": ledger_only(lambda: RNNClassifier(267)),  # 81,712 parameters; the LSTM has 81,674
    "open_i": ledger_only(lambda: OpenGateClassifier("i")),
    "open_f": ledger_only(lambda: OpenGateClassifier("f")),
    "open_o": ledger_only(lambda: OpenGateClassifier("o")),
    "rnn": quick(RNNClassifier),
    "renet": train_renet,
} | {name: quick(getattr(networks, name)) for name in NEIGHBOURS}

KEPT = ("2019", "quick", "every_row", "best")  # recipes whose first seed's weights are shipped
