"""A run in a folder: what was cut off goes on as if it had not been, and never as another run."""

import functools
import json
import types
import zlib

import keras
import numpy as np
import tensorflow as tf
from filelock import FileLock, Timeout

from .checks import check_path
from .files import DataError, all_or_nothing, read_npz
from .watchers import Watcher

VERSION = 2  # of the file
OF_KERAS = ("name", "autocast", "built", "compiled", "loss", "stop_training")  # they change no result of ``train``


class Checkpoints(Watcher):
    """Keeps weights, optimizer, step and history in ``folder/run.npz`` every ``every`` steps and at the end.

    A run that finds such a file goes on from there, to the same weights bit for bit. The file says whose it is: another
    model, optimizer, data, precision, batch size, seed or ``compute`` is refused with ``ValueError``, and so is a
    folder in which another process trains; a damaged file with ``DataError``. A new file takes the old one's place only
    once it is whole; ``OSError`` where it cannot be written.
    """

    def __init__(self, folder, every=1000):
        super().__init__(every)
        self.path = check_path("folder", folder) / "run.npz"
        self.lock = FileLock(self.path.with_name("lock"), blocking=False)

    def begin(self, run):
        folder = self.path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.lock.acquire()  # the system lets go of it when the process ends
        except Timeout as error:
            raise ValueError(f"another process trains into {folder}: choose another folder") from error
        except OSError as error:
            raise OSError(f"{self.path} cannot be written ({error}): choose another path or make room") from error
        self.read(run)

    def end(self, run):
        self.lock.release()

    def read(self, run):
        """Go on where the file, if there is one, says that the run was."""
        self.settings = json.loads(json.dumps(settings_of(run), default=str))
        if self.path.exists():
            self._restore(run)

    def look(self, run):
        state = {name: _array(variable) for name, variable in _variables(run).items()}
        with all_or_nothing(self.path) as path:
            np.savez(path, settings=json.dumps(self.settings), history=run.measured, **state)

    def _restore(self, run):
        remedy = "choose another folder, or delete this file to begin anew"
        kept = read_npz(self.path, ["settings", "history"], remedy)
        try:
            theirs, history = {**json.loads(str(kept["settings"]))}, kept["history"].reshape(-1, 3).astype(np.float32)
        except (TypeError, ValueError, RecursionError) as error:
            raise DataError(f"{self.path} is no checkpoint ({error}): {remedy}") from error
        for key, value in self.settings.items():
            if theirs.get(key) != value:
                place, then, now = _difference(key, theirs.get(key), value)
                raise ValueError(f"{self.path} holds a run with {place} = {then}, this one has {now}: {remedy}")
        if len(history) > run.steps:
            raise ValueError(f"{self.path} is already at step {len(history)}: ask for more than steps={run.steps}")
        variables = _variables(run)
        arrays = read_npz(self.path, variables, remedy)
        for name, array in arrays.items():
            if array.shape != variables[name].shape or array.dtype.kind not in "biuf":
                raise DataError(f"{self.path} is no checkpoint ({name} is {array.dtype} {array.shape}): {remedy}")
        for name, array in arrays.items():
            variables[name].assign(array)
        run.done, run.measured = len(history), history


def settings_of(run):
    """All that a run's weights depend on, but for its number of steps: a dict."""
    model, optimizer = run.model, run.optimizer
    return {
        "version": VERSION,
        "model": [[list(variable.shape), str(variable.dtype), variable.trainable] for variable in model.variables],
        "layers": _layers(model),
        "optimizer": _plain(optimizer) | optimizer.get_config() | {"name": type(optimizer).__name__},
        "data": run.split.fingerprint(),
        "batch_size": run.batch_size,
        "seed": run.seed,
        "compute": describe(run.compute),
    }


def _layers(layer):
    """What a layer or model makes of its weights: its class, and its settings or what its own layers are.

    Names are left out, which Keras counts up. Of a model of several layers, its own plain attributes are its settings.
    """
    kind = type(layer).__name__
    if not getattr(layer, "layers", None):
        return [kind, layer.get_config() | {"name": None}]
    return [kind, _plain(layer), *map(_layers, layer.layers)]


def _plain(thing):
    """The plain attributes of a model or optimizer of one's own, which its configuration need not name."""
    plain = {key: value for key, value in vars(thing).items() if isinstance(value, int | float | str | tuple)}
    return {key: value for key, value in plain.items() if key[0] != "_" and key not in OF_KERAS}


def _difference(place, theirs, ours):
    """The innermost place in which two descriptions differ, by its names, and what each holds there."""
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        theirs, ours = dict(enumerate(theirs)), dict(enumerate(ours))
    if not (isinstance(theirs, dict) and isinstance(ours, dict)):
        return place, theirs, ours
    key = next(key for key in theirs | ours if theirs.get(key) != ours.get(key))
    return _difference(f"{place} {key}", theirs.get(key), ours.get(key))


def describe(value):
    """What tells one value from another, as JSON: of a function its code and all values it brings along or looks up."""
    return _described(value, {})


def _described(value, seen):
    inner = functools.partial(_described, seen=seen)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {str(key): inner(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [inner(item) for item in value]
    if isinstance(value, types.CodeType):
        return inner([zlib.crc32(value.co_code), value.co_names, value.co_consts])
    if hasattr(value, "__array__") and not isinstance(value, type):
        array = np.asarray(value)
        return [list(array.shape), str(array.dtype), zlib.crc32(array.tobytes())]
    if id(value) in seen:
        return type(value).__name__
    seen[id(value)] = value
    return inner([type(value).__name__, *_parts(value)])


def _parts(value):
    """What an object or function is made of; of what others made, the name alone."""
    if isinstance(value, functools.partial):
        return value.func, value.args, value.keywords
    if isinstance(value, types.MethodType):
        return value.__func__, value.__self__
    if isinstance(value, tf.types.experimental.PolymorphicFunction):  # of tf.function
        return (value.python_function,)
    if isinstance(value, keras.layers.Layer):
        return _layers(value), value.get_weights()
    home = str(getattr(value, "__module__", "")).partition(".")[0]
    name = getattr(value, "__qualname__", "")
    known = isinstance(value, type | types.ModuleType) or not hasattr(value, "__dict__")
    if known or home in ("tensorflow", "keras", "numpy"):
        return (name,)
    if isinstance(value, types.FunctionType):
        brought = [cell.cell_contents for cell in value.__closure__ or ()]
        names = [] if home == "lstm_mnist" else _names(value.__code__)
        looked_up = {key: value.__globals__[key] for key in names if key in value.__globals__}
        return name, value.__code__, value.__defaults__, value.__kwdefaults__, brought, looked_up
    return [item for item in vars(type(value)).values() if isinstance(item, types.FunctionType)], vars(value)


def _names(code):
    """The names that a function and those inside it look up, in order."""
    inside = (_names(constant) for constant in code.co_consts if isinstance(constant, types.CodeType))
    return sorted({*code.co_names}.union(*inside))


def _variables(run):
    """Every variable of the model and of the optimizer, by a name that is its own."""
    model = {f"model {n}": variable for n, variable in enumerate(run.model.variables)}
    return model | {f"optimizer {n}": variable for n, variable in enumerate(run.optimizer.variables)}


def _array(variable):
    """Its value as an array that NumPy can keep, which bfloat16 is not."""
    value = variable.numpy()
    return value.astype(np.float32) if value.dtype.kind == "V" else value
