"""What to open as a session, and its packing into the struct of libqubus."""
from __future__ import annotations

from collections.abc import Iterable
from operator import index
from typing import TYPE_CHECKING, Any, TypedDict

from ._native import UNSET, ffi, lib
from .errors import of_name
from .packing import observable_array, text_argument, text_array
from .spec import program_bytes

#: Names of the outputs of a step, in the order of the protocol, and their bits.
OUTPUT_BITS = {
    "values": lib.QUBUS_STEP_VALUES,
    "gradients": lib.QUBUS_STEP_GRADIENTS,
    "counts": lib.QUBUS_STEP_COUNTS,
    "statevector": lib.QUBUS_STEP_STATEVECTOR,
}

_SPEC_POINTER = ffi.typeof("qubus_session_spec *")
_CHAR_ARRAY = ffi.typeof("char[]")


class SessionOptions(TypedDict, total=False):
    """Keyword arguments of `client.session`; see `Client.session`."""

    observables: Any
    outputs: str | Iterable[str] | None
    shots: int | None
    target_error: float | None
    shares_random_numbers: bool
    seed: int | None
    precision: str | None
    device: str | None
    idle_seconds: float | None
    wall_seconds: float | None
    max_device_seconds: float | None
    max_steps: int | None
    memory_bytes: int | None
    name: str | None
    tags: Iterable[str]
    idempotency_key: str | None


_KNOWN = frozenset(SessionOptions.__annotations__)
_TEXTS = ("precision", "device", "name", "idempotency_key")
_DOUBLES = ("target_error", "idle_seconds", "wall_seconds", "max_device_seconds")
_WHOLE = ("shots", "max_steps", "memory_bytes")


def output_mask(outputs: str | Iterable[str] | None) -> int:
    """QUBUS_STEP_* of output names; 0 for None."""
    mask = 0
    for name in (outputs,) if isinstance(outputs, str) else outputs or ():
        if name not in OUTPUT_BITS:
            raise of_name(
                "invalid_outputs", f"a step has no output {name!r}", field="outputs",
                limit=", ".join(OUTPUT_BITS))
        mask |= OUTPUT_BITS[name]
    return mask


def output_names(mask: int) -> tuple[str, ...]:
    return tuple(name for name, bit in OUTPUT_BITS.items() if mask & bit)


def whole_number(value: Any, field: str) -> int:
    """A number that fits the struct; the server judges it, it says its limit."""
    number = index(value)
    if not UNSET < number < 2**63:
        raise of_name(
            "invalid_shots" if field == "shots" else "invalid_request", f"{field} is {number}",
            field=field, limit="a positive number below 2^63")
    return number


def seed_number(value: Any) -> int:
    seed = index(value)
    if not 0 <= seed < 2**64:
        raise of_name("invalid_seed", f"the seed is {seed}", field="seed", limit="0 … 2^64-1")
    return seed


def pack_session(source: Any, options: SessionOptions) -> tuple[Any, list[Any]]:
    """A `qubus_session_spec *` and what it points to; keep both until the call returned."""
    unknown = sorted(set(options) - _KNOWN)
    if unknown:
        raise TypeError(f"a session has no option {', '.join(map(repr, unknown))}")
    given: dict[str, Any] = {key: value for key, value in options.items() if value is not None}
    keep: list[Any] = []
    spec = ffi.new(_SPEC_POINTER)
    spec.struct_size = ffi.sizeof("qubus_session_spec")
    program = program_bytes(source)
    spec.program = ffi.from_buffer(_CHAR_ARRAY, program)
    spec.program_bytes = len(program)
    keep.append(program)
    spec.outputs = output_mask(given.get("outputs"))
    if "observables" in given:
        _, spec.observables, spec.observable_count = observable_array(given["observables"], keep)
    for field in _DOUBLES:
        setattr(spec, field, float(given.get(field, "nan")))
    for field in _WHOLE:
        setattr(spec, field, whole_number(given[field], field) if field in given else UNSET)
    for field in _TEXTS:
        if field in given:
            setattr(spec, field, text_argument(given[field], field, keep))
    if "seed" in given:
        spec.seed, spec.has_seed = seed_number(given["seed"]), 1
    spec.shares_random_numbers = bool(given.get("shares_random_numbers"))
    if "tags" in given:
        spec.tags, spec.tag_count = text_array(given["tags"], "tags", keep)
    return spec, keep
