"""The bench's arithmetic and its processes, without timing anything that matters."""

import sys

import numpy as np
import pytest

from lstm_mnist import bench, plots

RESULT = {
    "date": "2026-01-01",
    "machine": {"processor": "a processor", "cores": 2},
    "peak_gflops": 100.0,
    "sides": {
        side: {
            "label": bench.SIDES[side][0],
            "train_ms": times,
            "predict_s": [0.5, 0.7],
            "peak_memory_mb": 800,
            "first_step_s": 9.0,
        }
        for side, times in (("keras", [40.0, 42.0]), ("fast", [20.0, 21.0]))
    },
    "missing": {"torch": "No module named 'torch'"},
}


def test_products_of_the_tutorials_step():
    assert bench.products(128, 28, 128) == 2 * 128 * 28 * 512 * (156 + 156 + 128)


def test_table_shows_ratios_and_what_is_missing(capsys):
    bench.show(RESULT)
    printed = capsys.readouterr().out
    assert "0.50" in printed
    assert "PyTorch nn.LSTM" in printed
    assert "missing: No module named 'torch'" in printed


def test_a_side_that_cannot_start_says_why():
    with pytest.raises(RuntimeError, match="KeyError"):
        bench.Process("nobody", {"intra": 1, "inter": 1}, sys.executable)


def test_a_side_takes_orders():
    process = bench.Process("fast", {"intra": 1, "inter": 2}, batch=4, units=8)
    answer = process.order("train", 3)
    process.close()
    assert answer["value"] > 0
    assert process.first_step > 0


def test_pictures_of_times():
    ax = plots.bench_times(RESULT).axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == [row["label"] for row in RESULT["sides"].values()]
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches], [41, 20.5])
    assert "milliseconds" in ax.get_xlabel()
    ax = plots.rungs(["plain", "fast"], [[4, 4], [1, 3]]).axes[0]
    assert [text.get_text() for text in ax.texts] == ["1.00 of the first", "0.50 of the first"]
