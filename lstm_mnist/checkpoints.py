"""A run in a folder: what was cut off goes on as if it had not been, and never as another run."""

import functools
import json
import types
import zlib

import numpy as np
from filelock import FileLock, Timeout

from .checks import check_path
from .files import all_or_nothing, read_npz
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
        theirs, history = json.loads(str(kept["settings"])), kept["history"]
        for key, value in self.settings.items():
            if theirs.get(key) != value:
                place, then, now = _difference(key, theirs.get(key), value)
                raise ValueError(f"{self.path} holds a run with {place} = {then}, this one has {now}: {remedy}")
        if len(history) > run.steps:
            raise ValueError(f"{self.path} is already at step {len(history)}: ask for more than steps={run.steps}")
        variables = _variables(run)
        for name, array in read_npz(self.path, variables, remedy).items():
            variables[name].assign(array)
        run.done, run.measured = len(history), history


def settings_of(run):
    """All that a run's weights depend on, but for its number of steps: a dict."""
    model, optimizer = run.model, run.optimizer
    return {
        "version": VERSION,
        "model": [[list(variable.shape), str(variable.dtype), variable.trainable] for variable in model.variables],
        "layers": _layers(model),
        "optimizer": optimizer.get_config() | {"name": type(optimizer).__name__},
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
    plain = {key: value for key, value in vars(layer).items() if isinstance(value, int | float | str | tuple)}
    own = {key: value for key, value in plain.items() if key[0] != "_" and key not in OF_KERAS}
    return [kind, own, *map(_layers, layer.layers)]


def _difference(place, theirs, ours):
    """The innermost place in which two descriptions differ, by its names, and what each holds there."""
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        theirs, ours = dict(enumerate(theirs)), dict(enumerate(ours))
    if not (isinstance(theirs, dict) and isinstance(ours, dict)):
        return place, theirs, ours
    key = next(key for key in theirs | ours if theirs.get(key) != ours.get(key))
    return _difference(f"{place} {key}", theirs.get(key), ours.get(key))


def describe(value):
    """What tells one function from another: its name, its code, and all values that it brings along."""
    if isinstance(value, functools.partial):
        return describe([value.func, value.args, value.keywords])
    if isinstance(value, types.FunctionType):
        code = value.__code__
        constants = [c for c in code.co_consts if not isinstance(c, types.CodeType)]
        brought = [cell.cell_contents for cell in value.__closure__ or ()]
        words = [value.__qualname__, code.co_code.hex(), code.co_names]
        return describe([*words, constants, brought, value.__defaults__])
    if isinstance(value, dict):
        return {str(key): describe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [describe(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return [list(value.shape), str(value.dtype), zlib.crc32(value.tobytes())]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return type(value).__name__


def _variables(run):
    """Every variable of the model and of the optimizer, by a name that is its own."""
    model = {f"model {n}": variable for n, variable in enumerate(run.model.variables)}
    return model | {f"optimizer {n}": variable for n, variable in enumerate(run.optimizer.variables)}


def _array(variable):
    """Its value as an array that NumPy can keep, which bfloat16 is not."""
    value = variable.numpy()
    return value.astype(np.float32) if value.dtype.kind == "V" else value
