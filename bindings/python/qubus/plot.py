"""Histograms; matplotlib is imported when the first one is drawn."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .result import Result


def plot_histogram(result: Result, ax: Any, top: int) -> Any:
    """Bars of the `top` most frequent outcomes in order of their bits, the rest as one bar."""
    from matplotlib import pyplot

    pub = result._only
    is_exact = "counts.values" not in pub._arrays
    table = pub.probabilities_dict() if is_exact else pub.counts
    if not isinstance(table, dict):
        raise ValueError("a histogram needs one row; plot the counts of a sweep one by one")
    shown = sorted(sorted(table, key=lambda bits: (-table[bits], bits))[:top])
    heights = [table[bits] for bits in shown]
    labels = list(shown)
    if len(table) > len(shown):
        labels.append(f"{len(table) - len(shown)} others")
        heights.append(sum(table.values()) - sum(heights))
    if ax is None:
        _, ax = pyplot.subplots(figsize=(max(4.0, 0.4 * len(labels) + 1), 3.5))
    ax.bar(range(len(labels)), heights)
    ax.set_xticks(range(len(labels)), labels, rotation=90 if len(labels) > 8 else 0)
    ax.set_ylabel("probability" if is_exact else "counts")
    ax.set_title(result.job.get("name") or result.job_id)
    return ax
