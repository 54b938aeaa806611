"""A run in a folder: what was cut off goes on as if it had not been, and never as another run."""

import dis
import inspect
import json
import sys
import types
import zlib

import numpy as np
import tensorflow as tf
from filelock import FileLock, Timeout

from .checks import check_path
from .files import DataError, all_or_nothing, read_npz
from .watchers import Watcher

VERSION = 3  # of the file
OF_KERAS = ("name", "autocast", "built", "compiled", "loss", "stop_training")  # they change no result of ``train``

# where functions and their code, then cells of a closure, methods and partials keep what tells them apart
OF_FUNCTIONS = ("__code__", "__defaults__", "__kwdefaults__", "__closure__", "co_code", "co_names", "co_consts")
OF_OTHERS = ("cell_contents", "__func__", "__self__", "func", "args", "keywords")


class Checkpoints(Watcher):
    """Keeps weights, optimizer, step and history in ``folder/run.npz`` every ``every`` steps and at the end.

    A run that finds such a file goes on from there, to the same weights bit for bit. The file says whose it is: another
    model, optimizer, data, precision, batch size, seed or ``compute`` is refused with ``ValueError``, and so is a run
    that is further already, or a folder in which another process trains; a damaged file with ``DataError``. A new file
    takes the old one's place only once it is whole; ``OSError`` where it cannot be written.
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
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, bytes | complex):
        return repr(value)
    if isinstance(value, set | frozenset):
        return sorted(map(repr, value))
    if isinstance(value, dict):
        return {str(key): _described(item, seen) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_described(item, seen) for item in value]
    if hasattr(value, "__array__") and not isinstance(value, type):
        array = np.asarray(value)
        return [list(array.shape), str(array.dtype), zlib.crc32(array.tobytes())]
    parts = () if id(value) in seen else _parts(value)
    seen[id(value)] = value
    return [type(value).__name__, *_described(parts, seen)]


def _parts(value):
    """What an object or function is made of; of what others made, the settings or the name alone."""
    if isinstance(value, tf.types.experimental.PolymorphicFunction):  # of tf.function
        return (value.python_function,)
    methods = inspect.getmembers(type(value), inspect.isfunction)
    if hasattr(value, "get_config") and not isinstance(value, type):  # of Keras
        return _layers(value), _plain(value), getattr(value, "weights", ()), methods
    home = str(getattr(value, "__module__", "")).partition(".")[0]
    if isinstance(value, type | types.ModuleType) or home in ("tensorflow", "keras", "numpy"):
        return (str(getattr(value, "__name__", getattr(value, "name", ""))),)
    looked_up = {}
    if inspect.isfunction(value) and home != "lstm_mnist":
        looked_up = _looked_up(value.__code__, value.__globals__)
    held = {key: getattr(value, key) for key in OF_FUNCTIONS + OF_OTHERS if hasattr(value, key)}
    return held, looked_up, methods, getattr(value, "__dict__", {})


def _looked_up(code, known):
    """What a function, and those inside it, look up in ``known``, its globals, and in modules of one's own there."""
    names = [one.argval for one in dis.get_instructions(code) if one.opname in ("LOAD_GLOBAL", "LOAD_NAME")]
    found = {name: known[name] for name in names if name in known}
    for name, module in list(found.items()):
        if isinstance(module, types.ModuleType) and not _is_installed(module):
            found |= {f"{name}.{key}": vars(module)[key] for key in code.co_names if key in vars(module)}
    for inside in filter(inspect.iscode, code.co_consts):
        found |= _looked_up(inside, known)
    return found


def _is_installed(module):
    """Whether a module came with Python or a package, and not with the program that trains."""
    home = module.__name__.partition(".")[0]
    return home in sys.stdlib_module_names or "-packages" in str(getattr(module, "__file__", ""))


def _variables(run):
    """Every variable of the model and of the optimizer, by a name that is its own."""
    model = {f"model {n}": variable for n, variable in enumerate(run.model.variables)}
    return model | {f"optimizer {n}": variable for n, variable in enumerate(run.optimizer.variables)}


def _array(variable):
    """Its value as an array that NumPy can keep, which bfloat16 is not."""
    value = variable.numpy()
    return value.astype(np.float32) if value.dtype.kind == "V" else value
