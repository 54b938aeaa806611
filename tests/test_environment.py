"""README, environment.yml, pyproject.toml and Makefile agree, and Binder reads them as meant."""

import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import yaml
from quoted import COPIES

from lstm_mnist.better.ledger import read_ledger
from lstm_mnist.better.recipes import RECIPES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ENVIRONMENT = (ROOT / "environment.yml").read_text(encoding="utf-8")


def test_environment_is_python_and_this_package_from_pip():
    environment = yaml.safe_load(ENVIRONMENT)
    assert environment["channels"] == ["conda-forge"]
    *conda, pip = environment["dependencies"]
    assert [re.match(r"[\w-]+", package)[0] for package in conda] == ["python", "pip"]
    (install,) = pip["pip"]
    extras = re.fullmatch(r"-e \.\[([\w,]+)\]", install)[1].split(",")
    assert set(extras) <= set(PROJECT["optional-dependencies"])
    assert "test" in extras


def test_binder_reads_the_python_version():
    """repo2docker wants one `=`, and looks in binder/ and .binder/ first."""
    version = re.search(r"^ *- python=(\d+\.\d+)\b", ENVIRONMENT, re.M)[1]
    low, high = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", PROJECT["requires-python"]).groups()
    assert int(low) <= int(version.split(".")[1]) < int(high)
    assert not (ROOT / "binder").exists()
    assert not (ROOT / ".binder").exists()


def test_repo2docker_reads_it_as_meant():
    """What Binder's own tool makes of it, without Docker: it shows reading, not solving."""
    if not importlib.util.find_spec("repo2docker"):
        pytest.skip("jupyter-repo2docker is not installed")
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", str(ROOT)]
    rendered = subprocess.run(command, capture_output=True, text=True)
    assert rendered.returncode == 0, rendered.stderr
    text = rendered.stdout + rendered.stderr
    python = re.search(r"python=(\d+\.\d+)", ENVIRONMENT)[0]
    assert f"conda environment for {python}" in text
    assert 'env update -p ${NB_PYTHON_PREFIX} --file "environment.yml"' in text


def test_every_line_of_the_environment_says_why():
    lines = [line for line in ENVIRONMENT.splitlines() if line.strip()]
    assert all("#" in line for line in lines), lines


def test_binder_link_points_at_an_existing_notebook_in_one_place():
    links = re.findall(r"mybinder\.org/v2/\S+?urlpath=lab/tree/([\w/.]+\.ipynb)", README)
    assert len(links) == 1
    assert (ROOT / links[0]).exists()


def test_images_of_readme_have_alt_text():
    assert not re.search(r"!\[\]\(|<img(?![^>]*alt=)", README)


def test_readme_names_commands_that_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^(\w+):", makefile, re.M))
    assert set(re.findall(r"`make (\w+)", README)) <= targets
    assert {"lab", "test", "notebooks", "timings", "weights"} <= targets


def test_the_package_carries_its_data_and_weights():
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
        "package-data"
    ]
    carried = {file for pattern in patterns["lstm_mnist"] for file in (ROOT / "lstm_mnist").glob(pattern)}
    needed = {file for file in (ROOT / "lstm_mnist").rglob("*.*") if file.suffix not in (".py", ".pyc")}
    needed = {file for file in needed if COPIES not in file.parts}
    assert carried == needed


def test_make_weights_trains_every_recipe():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = re.search(r"^RECIPES := (.*?)\n(?!\t)", makefile, re.M | re.S)[1].replace("\\\n", " ").split()
    assert {*named, *re.findall(r'"(\w+) --', makefile)} == set(RECIPES)


def test_the_page_that_the_workflow_publishes_is_there():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "page.yml").read_text(encoding="utf-8"))
    (copied,) = [step["run"] for step in workflow["jobs"]["publish"]["steps"] if "run" in step]
    assert (ROOT / re.search(r"cp (\S+) site/index\.html", copied)[1]).exists()


def test_ci_calls_make_test():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "make test" in script


@pytest.mark.parametrize(
    "row", re.findall(r"^\| .* \| (0\.\d{4}) \| (0\.\d{4}) \| (\d+) \| `.* weights (\w+)`", README, re.M)
)
def test_results_in_readme_are_those_of_the_ledger(row):
    mean, spread, seeds, name = row
    accuracies = np.array([run["test_accuracy"] for run in read_ledger(name)])
    assert (f"{accuracies.mean():.4f}", f"{accuracies.std(ddof=1):.4f}", str(len(accuracies))) == (mean, spread, seeds)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("answering together reach", "5 x best"),
        ("of 48,000 steps", "5 x best_48000"),
        ("in four directions", "3 x renet_12000"),
    ],
)
def test_networks_answering_together_have_the_accuracy_of_the_ledger(words, name):
    (row,) = read_ledger(name)
    assert f"{words} {row['test_accuracy']}" in README


def test_times_in_readme_are_those_of_the_stored_bench():
    stored = json.loads((ROOT / "notebooks" / "08_bench.json").read_text())
    step = {side: np.median(row["train_ms"]) for side, row in stored["sides"].items()}
    ahead = [
        np.sum(np.less(stored["sides"][ours]["train_ms"], stored["sides"][theirs]["train_ms"]))
        for ours, theirs in (("fast default", "torch default"), ("fast", "torch"))
    ]
    by_default = step["fast default"]
    assert f"takes {by_default:.1f} ms: {by_default / step['torch default']:.2f} of PyTorch's `nn.LSTM`" in README
    assert f"{by_default / step['keras default']:.2f} of Keras's `fit`. " in README
    keras = min(time for side, time in step.items() if side.startswith("keras") and "default" not in side)
    assert f"our layer takes {step['fast']:.1f} ms: {step['fast'] / step['torch']:.2f} of PyTorch's" in README
    assert f"{step['fast'] / keras:.2f} of Keras's `fit` at its quickest" in README
    whole = stored["quality"]
    share, least = (
        np.median(np.divide(whole[f"{name} recipe"]["seconds"], whole["2019 recipe"]["seconds"]))
        for name in ("quick", "quickest")
    )
    assert f"*quick* takes {share:.2f} of the 2019 program's time, *quickest* {least:.2f}" in README
    assert f"(ahead in {ahead[0]} of {stored['rounds']} rounds)" in README
    assert f"PyTorch's ({ahead[1]} of {stored['rounds']})" in README
    assert stored["date"] in README


def test_readme_is_read_in_a_few_minutes():
    seen = re.sub(r"<!--.*?-->|\]\([^)]*\)|<[^>]*>", " ", README, flags=re.S)
    assert len(re.findall(r"[^\s|]*\w[^\s|]*", seen)) <= 900
