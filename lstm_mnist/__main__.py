"""The commands behind the Makefile. Those that measure or train print what they find; they put it in place of the
repository's own results only with --keep. Times are those of two cores.
"""

import argparse
from pathlib import Path

from .better.recipes import RECIPES
from .commands.bench import bench
from .commands.figures import make_figures
from .commands.page import make_page
from .commands.predict import predict
from .commands.scaling import measure
from .commands.search import search
from .commands.timings import timings
from .commands.weights import SEEDS, weights
from .commands.workers import workers
from .files import DataError
from .pretrained import WEIGHTS_FOLDER

ROOT = Path(__file__).parents[1]


def main(words=None):
    parser = argparse.ArgumentParser(prog="python -m lstm_mnist", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("weights", help="train a recipe: 20 s a seed (quick) to 10 minutes a seed (best)")
    command.add_argument("name", choices=RECIPES)
    command.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    command.add_argument("--data", help="folder of another data set in MNIST's four IDX files")
    command.add_argument("--together", action="store_true", help="also a row for all seeds' networks as one")
    add_places(command, "the recipe's rows of lstm_mnist/weights/ledger.csv and, with seed 0, its weights beside it")
    command = commands.add_parser("search", help="search the settings of the recipe `best` (an hour)")
    add_places(command, "lstm_mnist/weights/search.csv")
    command = commands.add_parser("timings", help="measure each notebook's minutes and memory (10 minutes)")
    command.add_argument("--keep", action="store_true", help="write them into README.md and the notebooks' heads")
    command = commands.add_parser("figures", help="remake the README's moving picture (half a minute)")
    add_places(command, "the moving picture in figures/", required=True)
    command = commands.add_parser("page", help="write the drawing pad as one HTML file (seconds)")
    command.add_argument("--open", action="store_true", help="and open it in a browser")
    add_places(command, "figures/pad.html", required=True)
    command = commands.add_parser("bench", help="time the same training here and in its peers (half an hour)")
    add_places(command, "notebooks/08_bench.json")
    command = commands.add_parser("workers", help="train on several worker processes, compare with one (a minute)")
    command.add_argument("--count", type=int, default=2)
    command.add_argument("--measure", action="store_true", help="time arrangements instead (3 minutes)")
    add_places(command, "notebooks/10_scaling.json, with --measure")
    command = commands.add_parser("predict", help="read pictures of one digit each: a folder, or one (seconds)")
    command.add_argument("folder")
    command.add_argument("--weights", default="best", help="name of the shipped weights")
    try:
        run(parser.parse_args(words))
    except DataError as error:
        raise SystemExit(str(error)) from error


def add_places(command, kept, required=False):
    places = command.add_mutually_exclusive_group(required=required)
    places.add_argument("--keep", action="store_true", help=f"replace {kept}, which the repository tracks")
    places.add_argument("--folder", type=Path, help="write the results there instead; it is made where it is missing")


def place(arguments, tracked):
    """The file for results: ``tracked`` with --keep, that of the same name in --folder, or None; says which."""
    if arguments.keep:
        print(f"the results go to {tracked.relative_to(ROOT)}, in place of those that are there", flush=True)
        return tracked
    if arguments.folder:
        try:
            arguments.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SystemExit(f"--folder {arguments.folder} cannot be made ({error}): choose another") from error
        print(f"the results go to {arguments.folder / tracked.name}", flush=True)
        return arguments.folder / tracked.name
    print("the results are printed only: give --folder FOLDER to write them there, or --keep to replace", end=" ")
    print(f"those in {tracked.relative_to(ROOT)}", flush=True)
    return None


def run(arguments):
    if arguments.command == "weights":
        ledger = place(arguments, WEIGHTS_FOLDER / "ledger.csv")
        weights(arguments.name, arguments.seeds, arguments.data, arguments.together, ledger)
    elif arguments.command == "search":
        search(place(arguments, WEIGHTS_FOLDER / "search.csv"))
    elif arguments.command == "timings":
        timings(arguments.keep)
    elif arguments.command == "figures":
        make_figures(place(arguments, ROOT / "figures" / "hero.gif"))
    elif arguments.command == "page":
        make_page(place(arguments, ROOT / "figures" / "pad.html"), arguments.open)
    elif arguments.command == "bench":
        bench(place(arguments, ROOT / "notebooks" / "08_bench.json"))
    elif arguments.command == "predict":
        predict(arguments.folder, arguments.weights)
    elif arguments.measure:
        measure(place(arguments, ROOT / "notebooks" / "10_scaling.json"))
    else:
        workers(arguments.count)


if __name__ == "__main__":
    main()
