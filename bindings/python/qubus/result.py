"""Results: counts, memory, exact outputs and where they came from."""
from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from . import records
from ._native import Handle, ffi, lib
from .arrays import Array, native_arrays
from .errors import of_name
from .lazy import lazy

if TYPE_CHECKING:
    import numpy

    from .spec import JobSpec


def _bit_strings(keys: list[int], words: int, bits: int) -> list[str]:
    """Outcomes as text, highest classical bit leftmost; `words` little-endian words a key."""
    if bits == 0:
        return [""] * (len(keys) // max(words, 1))
    form = f"0{bits}b"
    if words == 1:
        return [format(key, form) for key in keys]
    texts = []
    for start in range(0, len(keys), words):
        value = 0
        for word in reversed(keys[start:start + words]):
            value = value << 64 | word
        texts.append(format(value, form))
    return texts


def _memory_strings(packed: numpy.ndarray[Any, Any], bits: int) -> list[str]:
    """Shots × bytes, little-endian bits, to one text a shot."""
    import numpy

    shots = packed.shape[0]
    if bits == 0 or shots == 0:
        return [""] * shots
    flags = numpy.unpackbits(packed, axis=1, count=bits, bitorder="little")[:, ::-1]
    characters = numpy.ascontiguousarray(flags + numpy.uint8(ord("0")))
    texts: list[str] = characters.view(f"S{bits}").reshape(shots).astype(f"U{bits}").tolist()
    return texts


class PubResult:
    """Result of one publication unit.

    A pub whose parameters are arrays has a `shape`, and one row for each element of it. Then
    `counts` and `memory` are object arrays of that shape; the others carry it as leading axes.
    """

    def __init__(self, parent: Result, number: int, arrays: dict[str, Array]):
        self._parent = parent
        self._arrays = arrays
        self.number = number

    def _array(self, name: str) -> Array:
        try:
            return self._arrays[name]
        except KeyError:
            present = ", ".join(sorted(self._arrays)) or "none"
            raise of_name(
                "unknown_result_item", f"pub {self.number} has no {name}; it has: {present}"
            ) from None

    @lazy
    def _summary(self) -> records.Record:
        for summary in self._parent.manifest.get("pubs", ()):
            if summary.get("pub", 0) == self.number:
                found: records.Record = summary
                return found
        return records.Record()

    @lazy
    def shape(self) -> tuple[int, ...]:
        """Broadcast shape of the rows; () for one row without array parameters."""
        if self._parent._is_one_row:
            return ()
        return tuple(self._summary.get("shape", ()))

    @lazy
    def bit_count(self) -> int:
        """Number of classical bits: the length of every key of `counts`."""
        return self._parent._bit_count(self.number) or int(self._summary.get("bit_count", 0))

    @property
    def qubit_count(self) -> int:
        return int(self._summary.get("qubit_count", 0))

    @property
    def registers(self) -> dict[str, tuple[int, int]]:
        """Classical registers: name to (offset, size) in bits."""
        return {r["name"]: (r.get("offset", 0), r["size"]) for r in self._summary.get("registers", ())}

    @property
    def shots(self) -> int:
        """Shots asked for, each row."""
        return int(self._summary.get("shots", 0))

    def _over_rows(self, rows: list[Any]) -> Any:
        """One value for shape (), else an object array."""
        if self.shape == () and len(rows) == 1:
            return rows[0]
        import numpy

        array = numpy.empty(len(rows), dtype=object)
        array[:] = rows
        return array.reshape(self.shape) if self.shape else array

    @lazy
    def counts(self) -> Any:
        """How often each outcome was seen: {"00": 509, "11": 515}; highest bit leftmost."""
        keys = self._array("counts.keys").unsigned()
        values = self._array("counts.values").unsigned()
        words = len(keys) // len(values) if values else 1
        texts = _bit_strings(keys, words, self.bit_count)
        offsets = self._arrays.get("counts.offsets")
        bounds = offsets.unsigned() if offsets is not None else [0, len(values)]
        return self._over_rows([
            dict(zip(texts[start:end], values[start:end]))
            for start, end in zip(bounds, bounds[1:])])

    @property
    def memory_array(self) -> numpy.ndarray[Any, Any]:
        """Memory as stored: uint8, shape (…, shots, bytes), bit k of a shot in byte k // 8."""
        array = self._array("memory").numpy
        return array.reshape(*self.shape, *array.shape[-2:])

    @lazy
    def memory(self) -> Any:
        """The outcome of every shot, in order: a list of bit strings."""
        packed = self.memory_array
        rows = packed.reshape(-1, *packed.shape[-2:])
        return self._over_rows([_memory_strings(row, self.bit_count) for row in rows])

    def _exact(self, name: str) -> numpy.ndarray[Any, Any]:
        array = self._array(name).numpy
        if array.ndim and array.shape[:-1] != self.shape:
            return array.reshape(*self.shape, array.shape[-1])
        return array

    @property
    def probabilities(self) -> numpy.ndarray[Any, Any]:
        """Exact probabilities, float64, shape (…, 2^bits); index = the outcome as a number."""
        return self._exact("probabilities")

    def probabilities_dict(self, threshold: float = 0.0) -> Any:
        """Outcomes whose probability is above `threshold`, by bit string."""
        import numpy

        table = self.probabilities
        bits = max(table.shape[-1] - 1, 0).bit_length()
        rows = []
        for row in table.reshape(-1, table.shape[-1]):
            (above,) = numpy.nonzero(row > threshold)
            texts = _bit_strings(above.tolist(), 1, bits)
            rows.append(dict(zip(texts, row[above].tolist())))
        return self._over_rows(rows)

    @property
    def statevector(self) -> numpy.ndarray[Any, Any]:
        """Final state, complex128, shape (…, 2^qubits); qubit 0 is the least significant bit."""
        return self._exact("statevector")

    @property
    def expectation_values(self) -> numpy.ndarray[Any, Any]:
        """Expectation values, float64: parameters and observables broadcast against each other."""
        return self._array("expectation_values").numpy

    def __repr__(self) -> str:
        return f"<PubResult {self.number}: {', '.join(self._arrays)}>"


class Result:
    """Result of a job. With one pub its outputs are here; `result[i]` gives those of pub i."""

    def __init__(
        self, arrays: dict[int, dict[str, Array]], *, native: Handle | None = None,
        texts: dict[str, bytes] | None = None, request: JobSpec | dict[str, Any] | None = None,
    ):
        self._native = native
        self._texts = texts or {}
        self._request = request
        self._is_one_row = getattr(request, "is_one_row", False)
        self._pubs = arrays

    @classmethod
    def of_native(cls, native: Handle, request: JobSpec | None = None) -> Result:
        return cls(native_arrays(native), native=native, request=request)

    def _bit_count(self, pub: int) -> int:
        """Width of the keys as the library knows it; 0 when the manifest has to tell."""
        if self._native is None or "counts.keys" not in self._pubs.get(pub, ()):
            return 0
        entries, bits = ffi.new("uint64_t *"), ffi.new("uint32_t *")
        code = lib.qubus_result_counts_size(self._native.pointer, pub, 0, entries, bits, ffi.NULL)
        return 0 if code else int(bits[0])

    def _text(self, name: str) -> bytes:
        """JSON of "manifest", "provenance" or "job"."""
        if self._native is not None:
            read = getattr(lib, f"qubus_result_{name}_json")
            text: bytes = ffi.string(read(self._native.pointer))
            return text
        return self._texts[name]

    # Pubs

    @lazy
    def pubs(self) -> list[PubResult]:
        count = max(self._pubs, default=-1) + 1
        if count != 1:
            count = max(count, len(self.manifest.get("pubs", ())))
        return [PubResult(self, number, self._pubs.get(number, {})) for number in range(count)]

    def __len__(self) -> int:
        return len(self.pubs)

    def __getitem__(self, number: int) -> PubResult:
        return self.pubs[number]

    def __iter__(self) -> Iterator[PubResult]:
        return iter(self.pubs)

    @property
    def _only(self) -> PubResult:
        pubs = self.pubs
        if len(pubs) != 1:
            raise ValueError(
                f"the result holds {len(pubs)} publication units: ask one of them, result[i]")
        return pubs[0]

    counts = property(lambda self: self._only.counts, doc=PubResult.counts.__doc__)
    memory = property(lambda self: self._only.memory, doc=PubResult.memory.__doc__)
    shots = property(lambda self: self._only.shots, doc=PubResult.shots.__doc__)
    shape = property(lambda self: self._only.shape, doc=PubResult.shape.__doc__)

    @property
    def memory_array(self) -> numpy.ndarray[Any, Any]:
        """Memory as stored: uint8, shape (…, shots, bytes), bit k of a shot in byte k // 8."""
        return self._only.memory_array

    @property
    def probabilities(self) -> numpy.ndarray[Any, Any]:
        """Exact probabilities, float64, shape (…, 2^bits); index = the outcome as a number."""
        return self._only.probabilities

    def probabilities_dict(self, threshold: float = 0.0) -> Any:
        """Outcomes whose probability is above `threshold`, by bit string."""
        return self._only.probabilities_dict(threshold)

    @property
    def statevector(self) -> numpy.ndarray[Any, Any]:
        """Final state, complex128, shape (…, 2^qubits); qubit 0 is the least significant bit."""
        return self._only.statevector

    @property
    def expectation_values(self) -> numpy.ndarray[Any, Any]:
        """Expectation values, float64: parameters and observables broadcast against each other."""
        return self._only.expectation_values

    # Where it came from

    @lazy
    def manifest(self) -> records.Record:
        """The message ResultManifest: every array with its shape and SHA-256."""
        manifest: records.Record = records.parse(self._text("manifest"))
        return manifest

    @lazy
    def provenance(self) -> records.Provenance:
        """The message Provenance: everything needed to replay the result."""
        provenance: records.Provenance = records.parse(self._text("provenance"), records.Provenance)
        return provenance

    @lazy
    def job(self) -> records.JobInfo:
        """The job as it was when the result was fetched."""
        job: records.JobInfo = records.parse(self._text("job"), records.JobInfo)
        return job

    @property
    def job_id(self) -> str:
        return str(self.manifest["job_id"])

    @property
    def execution_hash(self) -> str:
        """SHA-256 over the canonical results, hexadecimal."""
        return str(self.manifest["execution_hash"])

    @property
    def seed(self) -> int:
        return int(self.provenance["seed"])

    @property
    def is_partial(self) -> bool:
        """True for what a canceled job had."""
        if self._native is not None:
            return bool(lib.qubus_result_is_partial(self._native.pointer))
        return bool(self.manifest.get("is_partial", False))

    @property
    def shots_done(self) -> int:
        """Shots that were run, over all rows and pubs; fewer than asked for in a partial result."""
        return int(self.manifest.get("shots_done", 0))

    @property
    def request(self) -> Any:
        """What was submitted, when this process or the bundle knows it: a `JobSpec` or a mapping."""
        return self._request

    @property
    def programs(self) -> list[bytes | None]:
        """Source of each pub; None where it is not known here."""
        if self._request is None:
            return [None] * len(self)
        if isinstance(self._request, dict):
            return [pub.get("program") for pub in self._request["pubs"]]
        return [pub.program for pub in self._request.pubs]

    # Out of Python

    def to_json(self, path: str | os.PathLike[str] | None = None, *, indent: int | None = None) -> str:
        """The result as JSON (schema "qubus.result/1"); also into a file when `path` is given."""
        from .export import to_json

        return to_json(self, path, indent)

    def to_csv(self, path: str | os.PathLike[str] | None = None) -> str:
        """A tidy table as CSV: pub, row, item, key, value; also into a file."""
        from .export import to_csv

        return to_csv(self, path)

    def save_bundle(
        self, path: str | os.PathLike[str], *, programs: list[str | bytes] | None = None
    ) -> None:
        """Writes a zip with program, parameters, seed, provenance, arrays and hashes.

        `programs` gives the sources where this process did not submit the job; they are checked
        against the hashes of the provenance.
        """
        from .bundle import save_bundle

        save_bundle(self, path, programs)

    def plot_histogram(self, ax: Any = None, *, top: int = 32) -> Any:
        """Draws the counts (or exact probabilities) as bars; needs matplotlib. Returns the axes."""
        from .plot import plot_histogram

        return plot_histogram(self, ax, top)

    plot = plot_histogram

    def _repr_html_(self) -> str:
        from .export import to_html

        return to_html(self)

    def __repr__(self) -> str:
        partial = ", partial" if self.is_partial else ""
        items = "; ".join(f"{n}: {', '.join(arrays)}" for n, arrays in sorted(self._pubs.items()))
        return f"<Result of job {self.job_id}{partial}: {items}>"


class Estimate:
    """Expectation values: `values` (float64 array), a number when there is one, and provenance."""

    def __init__(self, result: Result):
        self.result = result

    @property
    def values(self) -> numpy.ndarray[Any, Any]:
        return self.result.expectation_values

    @property
    def provenance(self) -> records.Provenance:
        return self.result.provenance

    def __float__(self) -> float:
        values = self.values
        if values.size != 1:
            raise TypeError(f"the estimate has shape {values.shape}; use .values")
        return float(values.reshape(()))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> numpy.ndarray[Any, Any]:
        import numpy

        values = self.values
        if copy or dtype is not None and numpy.dtype(dtype) != values.dtype:
            if copy is False:
                raise ValueError("another dtype needs a copy")
            return values.astype(dtype or values.dtype)
        return values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, key: Any) -> Any:
        return self.values[key]

    def __repr__(self) -> str:
        return f"Estimate({self.values!r})"
