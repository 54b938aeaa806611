"""The commands behind the Makefile: ``python -m lstm_mnist --help`` lists them."""

import argparse

from .better.recipes import RECIPES
from .better.search import search
from .commands import bench, scaling
from .commands.figures import make_figures
from .commands.predict import predict
from .commands.timings import timings
from .commands.weights import SEEDS, weights
from .commands.workers import workers


def main():
    parser = argparse.ArgumentParser(prog="python -m lstm_mnist", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("weights", help="train a recipe and keep its weights and ledger rows")
    command.add_argument("name", choices=RECIPES)
    command.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    command.add_argument("--data", help="folder of another data set in MNIST's four IDX files")
    command.add_argument("--together", action="store_true", help="also a row for all seeds' networks as one")
    commands.add_parser("search", help="search the settings of the recipe `best` on the validation split")
    commands.add_parser("timings", help="measure each notebook's minutes and memory")
    command = commands.add_parser("figures", help="remake the README's pictures")
    command.add_argument("--folder", default="figures")
    bench.add_arguments(commands.add_parser("bench", help="time the same training here and in its peers"))
    command = commands.add_parser("workers", help="train on several worker processes, compare with one")
    command.add_argument("--count", type=int, default=2)
    command.add_argument("--steps", type=int, default=200)
    command.add_argument(
        "--measure", action="store_true", help="time arrangements instead, for notebook 10 (3 minutes)"
    )
    command = commands.add_parser("predict", help="read a folder of pictures of one digit each")
    command.add_argument("folder")
    command.add_argument("--weights", default="best", help="name of the shipped weights")
    arguments = parser.parse_args()
    if arguments.command == "timings":
        timings()
    elif arguments.command == "weights":
        weights(arguments.name, arguments.seeds, arguments.data, arguments.together)
    elif arguments.command == "search":
        search()
    elif arguments.command == "figures":
        for path in make_figures(arguments.folder):
            print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")
    elif arguments.command == "predict":
        predict(arguments.folder, arguments.weights)
    elif arguments.command == "workers":
        scaling.measure() if arguments.measure else workers(arguments.count, arguments.steps)
    else:
        bench.bench(arguments)


if __name__ == "__main__":
    main()
