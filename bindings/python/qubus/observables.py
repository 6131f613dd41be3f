"""Observables as users write them, turned into Pauli terms and a shape."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Number
from typing import Any, Union

from .errors import of_name

#: Terms of one observable: Pauli string (leftmost letter on the highest qubit) and coefficient.
Terms = list[tuple[str, float]]
#: One observable: a Pauli string, a mapping, or a list of (pauli, coefficient).
Observable = Union[str, Mapping[str, float], Sequence[tuple[str, float]]]


def _is_term(value: Any) -> bool:
    return (isinstance(value, (tuple, list)) and len(value) == 2 and isinstance(value[0], str)
            and isinstance(value[1], Number))


def _coefficient(pauli: str, value: Any) -> float:
    if isinstance(value, complex) or hasattr(value, "imag") and value.imag != 0:
        if value.imag != 0:
            raise of_name(
                "invalid_observable",
                f"the coefficient {value} of {pauli!r} is not real", field="observables")
        value = value.real
    return float(value)


def _terms(value: Any) -> Terms | None:
    """The terms when `value` is one observable, None when it is an array of them."""
    if isinstance(value, str):
        return [(value, 1.0)]
    if isinstance(value, Mapping):
        pairs: Any = value.items()
    elif _is_term(value):
        pairs = [value]
    elif hasattr(value, "to_list"):  # a sparse Pauli operator of another package
        pairs = value.to_list()
    elif isinstance(value, (list, tuple)) and value and all(map(_is_term, value)):
        pairs = value
    else:
        return None
    return [(str(pauli), _coefficient(pauli, c)) for pauli, c in pairs]


def parse_observables(value: Any) -> tuple[tuple[int, ...], list[Terms]]:
    """Shape and row-major terms: `()` for one observable, `(n,)` for a list of observables, ….

    Raises:
        ValidationError: `invalid_observable` for an empty or ragged array, or another type.
    """
    terms = _terms(value)
    if terms is not None:
        return (), [terms]
    if hasattr(value, "tolist"):
        value = value.tolist()
        if not isinstance(value, list):
            return parse_observables(value)
    if not isinstance(value, (list, tuple)):
        raise of_name(
            "invalid_observable", f"an observable cannot be a {type(value).__name__}",
            field="observables",
            limit='a Pauli string, a list of (pauli, coefficient), a mapping, or an array of them')
    if not value:
        raise of_name("invalid_observable", "the array of observables is empty", field="observables")
    children = [parse_observables(element) for element in value]
    inner = children[0][0]
    for number, (shape, _) in enumerate(children):
        if shape != inner:
            raise of_name(
                "invalid_observable",
                f"the array of observables is ragged: element {number} has shape {shape}, "
                f"element 0 has {inner}", field="observables")
    return (len(value), *inner), [terms for _, part in children for terms in part]
