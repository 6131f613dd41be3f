"""Named arrays of a result: views of memory that libqubus owns, or of numpy arrays."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._native import Handle, check, ffi, lib, take_error, text_at

if TYPE_CHECKING:
    import numpy

DATA_TYPES = {
    lib.QUBUS_TYPE_UINT8: "uint8",
    lib.QUBUS_TYPE_UINT64: "uint64",
    lib.QUBUS_TYPE_INT64: "int64",
    lib.QUBUS_TYPE_FLOAT64: "float64",
    lib.QUBUS_TYPE_COMPLEX128: "complex128",
}


class Array:
    """One array; `numpy` gives it without a copy, read-only."""

    __slots__ = ("shape", "_array", "_pointer", "_bytes", "_type", "_owner")

    def __init__(self, shape: tuple[int, ...], array: Any = None):
        self.shape = shape
        self._array = array
        self._pointer: Any = None
        self._bytes = 0
        self._type = 0
        self._owner: Handle | None = None

    @classmethod
    def of_native(cls, struct: Any, owner: Handle) -> Array:
        """A view of the array that `struct` describes; the view keeps `owner` alive."""
        self = cls(tuple(ffi.unpack(struct.shape, struct.rank)))
        self._pointer = struct.data
        self._bytes = struct.bytes
        self._type = struct.data_type
        self._owner = owner
        return self

    @classmethod
    def of_numpy(cls, array: numpy.ndarray[Any, Any]) -> Array:
        array.flags.writeable = False
        return cls(array.shape, array)

    @property
    def numpy(self) -> numpy.ndarray[Any, Any]:
        if self._array is None:
            import numpy

            dtype = numpy.dtype(DATA_TYPES[self._type])
            if self._bytes:
                owner = self._owner
                # the collector of this pointer holds the result for as long as a view exists
                pointer = ffi.gc(self._pointer, lambda _: owner)
                array = numpy.frombuffer(ffi.buffer(pointer, self._bytes), dtype)
            else:
                array = numpy.empty(0, dtype)
            array = array.reshape(self.shape)
            array.flags.writeable = False
            self._array = array
        found: numpy.ndarray[Any, Any] = self._array
        return found

    def unsigned(self) -> list[int]:
        """The numbers of a uint64 array in order, without numpy where it is not needed."""
        if self._array is not None:
            return [int(v) for v in self._array.reshape(-1).tolist()]
        if not self._bytes:
            return []
        pointer = ffi.cast("uint64_t *", self._pointer)
        values: list[int] = ffi.unpack(pointer, self._bytes // 8)
        return values


def native_arrays(result: Handle) -> dict[int, dict[str, Array]]:
    """Arrays of a `qubus_result`, by pub and name."""
    pubs: dict[int, dict[str, Array]] = {}
    pointer = result.pointer
    struct = ffi.new("qubus_array *")
    struct.struct_size = ffi.sizeof("qubus_array")
    for number in range(lib.qubus_result_array_count(pointer)):
        error = take_error()
        check(lib.qubus_result_array(pointer, number, struct, error), error)
        pubs.setdefault(struct.pub, {})[text_at(struct.name)] = Array.of_native(struct, result)
    return pubs
