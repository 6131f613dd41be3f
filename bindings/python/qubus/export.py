"""Results as JSON, CSV and HTML."""
from __future__ import annotations

import html
import io
import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .result import PubResult, Result

JSON_SCHEMA = "qubus.result/1"
_HTML_ROWS = 16


def _plain(value: Any) -> Any:
    """Arrays to lists, complex numbers to [re, im]."""
    if hasattr(value, "dtype"):
        if value.dtype.kind == "c":
            return _plain(value.view(float).reshape(*value.shape, 2))
        return value.tolist()
    return value


def _outputs(pub: PubResult) -> dict[str, Any]:
    names = {name.split(".")[0] for name in pub._arrays}
    order = ("counts", "memory", "probabilities", "statevector", "expectation_values")
    return {name: getattr(pub, name) for name in order if name in names}


def _write(path: str | os.PathLike[str] | None, text: str) -> str:
    if path is not None:
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(text)
    return text


def to_json(result: Result, path: str | os.PathLike[str] | None, indent: int | None) -> str:
    document = {
        "schema": JSON_SCHEMA,
        "job_id": result.job_id,
        "is_partial": result.is_partial,
        "execution_hash": result.execution_hash,
        "pubs": [
            {"pub": pub.number, "shape": list(pub.shape), "bit_count": pub.bit_count,
             **{name: _plain(value) for name, value in _outputs(pub).items()}}
            for pub in result],
        "provenance": result.provenance,
    }
    return _write(path, json.dumps(document, indent=indent))


def _csv_rows(pub: PubResult) -> Iterator[tuple[int, int, str, Any, Any]]:
    import numpy

    for name, value in _outputs(pub).items():
        if name == "expectation_values":
            for row, number in enumerate(numpy.asarray(value).reshape(-1).tolist()):
                yield pub.number, row, name, "", repr(number)
            continue
        if name == "probabilities":
            value = pub.probabilities_dict()
        rows = [value] if pub.shape == () else list(value.reshape(-1, *value.shape[len(pub.shape):]))
        for row, content in enumerate(rows):
            pairs = content.items() if isinstance(content, dict) else enumerate(
                content.tolist() if hasattr(content, "tolist") else content)
            for key, entry in pairs:
                yield pub.number, row, name, key, entry


def to_csv(result: Result, path: str | os.PathLike[str] | None) -> str:
    import csv

    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("pub", "row", "item", "key", "value"))
    for pub in result:
        writer.writerows(_csv_rows(pub))
    return _write(path, buffer.getvalue())


def _table(pub: PubResult) -> str:
    outputs = _outputs(pub)
    cells = []
    if isinstance(outputs.get("counts"), dict):
        counts = outputs["counts"]
        total = sum(counts.values()) or 1
        top = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        for bits, count in top[:_HTML_ROWS]:
            cells.append(
                f"<tr><td><code>{html.escape(bits)}</code></td><td>{count:,}</td>"
                f"<td>{count / total:.2%}</td></tr>")
        if len(top) > _HTML_ROWS:
            cells.append(f"<tr><td colspan=3>… {len(top) - _HTML_ROWS:,} more outcomes</td></tr>")
        return "<table><tr><th>outcome</th><th>count</th><th>share</th></tr>" + "".join(cells) + "</table>"
    for name, value in outputs.items():
        described = f"shape {value.shape}" if hasattr(value, "shape") else f"{len(value):,} entries"
        cells.append(f"<tr><td>{html.escape(name)}</td><td>{html.escape(described)}</td></tr>")
    return "<table><tr><th>output</th><th></th></tr>" + "".join(cells) + "</table>"


def to_html(result: Result) -> str:
    provenance = result.provenance
    facts = [f"device {provenance.get('device', '')}", f"seed {provenance.get('seed', '')}"]
    if result.is_partial:
        facts.append(f"partial: {result.shots_done:,} shots")
    parts = [f"<div><b>Job {html.escape(result.job_id)}</b>, {html.escape(', '.join(facts))}"]
    for pub in result:
        if len(result) > 1:
            parts.append(f"<p>pub {pub.number}</p>")
        parts.append(_table(pub))
    return "".join(parts) + "</div>"
