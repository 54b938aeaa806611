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

ROOT = Path(__file__).parents[1]


def main(words=None):
    parser = argparse.ArgumentParser(prog="python -m lstm_mnist", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser(
        "weights", help="train a recipe: 10 s a seed (quickest) to over an hour (taught_4000)"
    )
    command.add_argument("name", choices=RECIPES)
    command.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="0 keeps its weights beside the rows")
    command.add_argument("--data", help="folder of another data set in MNIST's four IDX files")
    command.add_argument("--together", action="store_true", help="also a row for all seeds' networks as one")
    add_places(command, "lstm_mnist/weights/ledger.csv")
    command = commands.add_parser("search", help="search the settings of the recipe `best` (an hour)")
    add_places(command, "lstm_mnist/weights/search.csv")
    command = commands.add_parser("timings", help="measure each notebook's minutes and memory (10 minutes)")
    command.add_argument("--keep", action="store_true", help="write them into README.md and the notebooks' heads")
    command = commands.add_parser("figures", help="remake the README's moving picture (half a minute)")
    add_places(command, "figures/hero.gif", required=True)
    command = commands.add_parser("page", help="write the drawing pad as one HTML file (seconds)")
    command.add_argument("--open", action="store_true", help="and open it in a browser")
    add_places(command, "figures/pad.html", required=True)
    command = commands.add_parser("bench", help="time the same training here and in its peers (half an hour)")
    add_places(command, "notebooks/08_bench.json")
    command = commands.add_parser("workers", help="train on several worker processes, compare with one (a minute)")
    command.add_argument("--count", type=int, default=2)
    command.add_argument("--measure", action="store_true", help="time arrangements, for --keep or --folder (3 minutes)")
    add_places(command, "notebooks/10_scaling.json")
    command = commands.add_parser("predict", help="read pictures of one digit each: a folder, or one (seconds)")
    command.add_argument("folder")
    command.add_argument("--weights", default="best", help="name of the shipped weights")
    try:
        run(parser.parse_args(words))
    except DataError as error:
        raise SystemExit(str(error)) from error


def add_places(command, tracked, required=False):
    command.set_defaults(tracked=Path(tracked))
    places = command.add_mutually_exclusive_group(required=required)
    places.add_argument("--keep", action="store_true", help=f"replace {tracked}, which the repository tracks")
    places.add_argument("--folder", type=Path, help="write the results there instead; it is made where it is missing")


def place(arguments):
    """The file for results: the tracked one with --keep, that of its name in --folder, or None; says which."""
    if arguments.keep:
        print(f"the results go to {arguments.tracked}, in place of those that are there", flush=True)
        return ROOT / arguments.tracked
    if arguments.folder:
        try:
            arguments.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SystemExit(f"--folder {arguments.folder} cannot be made ({error}): choose another") from error
        path = arguments.folder / arguments.tracked.name
        print(f"the results go to {path}", flush=True)
        return path
    print("the results are printed only: give --folder FOLDER to write them there, or --keep to replace", end=" ")
    print(f"those in {arguments.tracked}", flush=True)
    return None


def run(arguments):
    if arguments.command == "weights":
        weights(arguments.name, arguments.seeds, arguments.data, arguments.together, place(arguments))
    elif arguments.command == "search":
        search(place(arguments))
    elif arguments.command == "timings":
        timings(arguments.keep)
    elif arguments.command == "figures":
        make_figures(place(arguments))
    elif arguments.command == "page":
        make_page(place(arguments), arguments.open)
    elif arguments.command == "bench":
        bench(place(arguments))
    elif arguments.command == "predict":
        predict(arguments.folder, arguments.weights)
    elif arguments.measure:
        measure(place(arguments))
    else:
        workers(arguments.count)


if __name__ == "__main__":
    main()
