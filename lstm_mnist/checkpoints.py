"""A run in a folder: what was cut off goes on as if it had not been, and never as another run."""

import functools
import json
import types
import zlib

import numpy as np
from filelock import FileLock, Timeout

from .checks import check_path
from .files import DataError, all_or_nothing
from .watchers import Watcher

VERSION = 1


class Checkpoints(Watcher):
    """Keeps weights, optimizer, step and history in ``folder/run.npz`` every ``every`` steps and at the end.

    A run that finds such a file goes on from there, to the same weights bit for bit. The file says whose it is: another
    model, optimizer, data, precision, batch size, seed or ``compute`` is refused with ``ValueError``, and so is a
    folder in which another process trains; a damaged file with ``DataError``. A new file takes the old one's place only
    once it is whole; ``OSError`` where it cannot be written. With ``read_only`` nothing is written.
    """

    def __init__(self, folder, every=1000, read_only=False):
        super().__init__(every)
        self.folder, self.read_only = check_path("folder", folder), read_only
        self.path = self.folder / "run.npz"
        self.lock = FileLock(self.folder / "lock", blocking=False)  # the system lets go of it when the process ends
        self.remedy = "choose another folder, or delete this one to begin anew"

    def begin(self, run):
        if not self.read_only:
            self._claim()
        self.settings = json.loads(json.dumps(_settings(run), default=str))
        if self.path.exists():
            self._restore(run)

    def look(self, run):
        if self.read_only:
            return
        arrays = {"settings": np.array(json.dumps(self.settings)), "history": run.measured} | _state(run)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with all_or_nothing(self.path) as path:
                np.savez(path, **arrays)
        except OSError as error:
            raise OSError(f"step {run.done} cannot be kept in {self.folder}, earlier ones are: {error}") from error

    def end(self, run):
        self.lock.release()

    def _claim(self):
        """Make the folder and lock it, or raise ``ValueError`` where it is not ours to train into."""
        strangers = []
        if self.folder.is_dir():
            ours = {"lock", self.path.name}
            strangers = [file.name for file in self.folder.iterdir() if file.name not in ours and file.name[0] != "."]
        if strangers and not self.path.exists():
            raise ValueError(f"{self.folder} holds {strangers[0]} and no {self.path.name}: choose another folder")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.lock.acquire()
        except Timeout as error:
            raise ValueError(f"another process trains into {self.folder}: choose another folder") from error
        except OSError as error:
            raise ValueError(f"checkpoint folder {self.folder} cannot be written: {error}") from error

    def _restore(self, run):
        try:
            with np.load(self.path, allow_pickle=False) as file:
                arrays = dict(file)
            theirs = dict(json.loads(str(arrays.pop("settings"))))
            history = arrays.pop("history")
        except Exception as error:  # damaged bytes make zipfile, zlib, numpy and json raise nearly anything
            raise DataError(f"{self.path} is damaged ({error}): {self.remedy}") from error
        for key, value in self.settings.items():
            if theirs.get(key) != value:
                raise ValueError(
                    f"{self.folder} holds a run with {key} = {theirs.get(key)}, this one has {value}: {self.remedy}"
                )
        ours = _state(run)
        if {name: a.shape for name, a in arrays.items()} != {name: a.shape for name, a in ours.items()}:
            raise DataError(f"{self.path} lacks a part of the run, or has one too many: {self.remedy}")
        if len(history) > run.steps:
            raise ValueError(f"{self.folder} is already at step {len(history)}: ask for more than steps={run.steps}")
        for name, variable in _variables(run).items():
            variable.assign(arrays[name])
        run.done, run.measured = len(history), history


def _settings(run):
    """All that a run's weights depend on, but for its number of steps."""
    model, optimizer = run.model, run.optimizer
    return {
        "version": VERSION,
        "model": [[list(variable.shape), str(variable.dtype), variable.trainable] for variable in model.variables],
        "layers": [[type(layer).__name__, layer.dtype_policy.name] for layer in model.layers],
        "arithmetic": [layer.implementation for layer in model.layers if hasattr(layer, "implementation")],
        "optimizer": optimizer.get_config() | {"name": type(optimizer).__name__},
        "data": run.split.fingerprint(),
        "batch_size": run.batch_size,
        "seed": run.seed,
        "compute": describe(run.compute),
    }


def describe(value):
    """What tells one function from another: its name, its code, and all values that it brings along."""
    if isinstance(value, functools.partial):
        return ["partial", describe(value.func), describe(value.args), describe(value.keywords)]
    if isinstance(value, types.FunctionType):
        brought = [cell.cell_contents for cell in value.__closure__ or ()]
        code = zlib.crc32(value.__code__.co_code + repr(value.__code__.co_names).encode())
        constants = [c for c in value.__code__.co_consts if not isinstance(c, types.CodeType)]
        return [value.__qualname__, code, describe(constants), describe(brought), describe(value.__defaults__)]
    if isinstance(value, dict):
        return {str(key): describe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [describe(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return [list(value.shape), str(value.dtype), zlib.crc32(np.ascontiguousarray(value).tobytes())]
    return type(value).__name__


def _variables(run):
    """Every variable of the model and of the optimizer, by a name that is its own."""
    model = {f"model {n}": variable for n, variable in enumerate(run.model.variables)}
    return model | {f"optimizer {n}": variable for n, variable in enumerate(run.optimizer.variables)}


def _state(run):
    """Their values, as arrays that NumPy can keep."""
    values = {name: variable.numpy() for name, variable in _variables(run).items()}
    return {name: value.astype(np.float32) if value.dtype.kind == "V" else value for name, value in values.items()}
