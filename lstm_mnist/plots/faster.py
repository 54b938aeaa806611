"""Pictures of notebook 08."""

import numpy as np

from .shared import medians


def bench_times(result):
    """Milliseconds of a training step in each program, the slowest first; ours stands out."""
    sides = sorted(result["sides"].items(), key=lambda side: -np.median(side[1]["train_ms"]))
    rounds = {row["label"]: row["train_ms"] for _, row in sides}
    notes = [f"{np.median(values):.1f}" for values in rounds.values()]
    return medians(rounds, "training step, milliseconds", notes, highlighted=result["sides"]["fast"]["label"])
