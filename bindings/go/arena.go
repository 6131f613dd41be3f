package qubus

// #include "shim.h"
import "C"

import (
	"strings"
	"unsafe"
)

// arena is C memory for the structs of one call that hold pointers: Go memory must not be pointed
// to from within them. What it holds is freed at once when the call has been started.
type arena struct {
	blocks  []unsafe.Pointer
	secrets [][]byte
}

// make gives zeroed memory.
func (a *arena) make(bytes C.size_t) unsafe.Pointer {
	if bytes == 0 {
		bytes = 1
	}
	block := C.malloc(bytes) // never nil in Go: without memory the runtime ends the process
	C.memset(block, 0, bytes)
	a.blocks = append(a.blocks, block)
	return block
}

func (a *arena) free() {
	for _, secret := range a.secrets {
		for i := range secret {
			secret[i] = 0
		}
	}
	a.secrets = nil
	for _, block := range a.blocks {
		C.free(block)
	}
	a.blocks = nil
}

// text copies a string; "" gives NULL. C strings end with NUL, so none may stand inside.
func (a *arena) text(field, value string) (*C.char, error) {
	if value == "" {
		return nil, nil
	}
	return a.textOrEmpty(field, value)
}

func (a *arena) textOrEmpty(field, value string) (*C.char, error) {
	if at := strings.IndexByte(value, 0); at >= 0 {
		e := newError(ErrNulInString, "%s holds a NUL at byte %d", field, at)
		e.Violations = []Violation{{Field: field, Explanation: "holds a NUL", Limit: "no NUL"}}
		return nil, e
	}
	text := C.CString(value)
	a.blocks = append(a.blocks, unsafe.Pointer(text))
	return text, nil
}

// bytes copies a text of known length, NULs included, and a final NUL.
func (a *arena) bytes(value string) (*C.char, C.uint64_t) {
	text := C.CString(value)
	a.blocks = append(a.blocks, unsafe.Pointer(text))
	return text, C.uint64_t(len(value))
}

// numbers copies a slice; nil for an empty one.
func (a *arena) numbers(values []float64) *C.double {
	if len(values) == 0 {
		return nil
	}
	copied, first := makeArray[float64](a, len(values))
	copy(copied, values)
	return (*C.double)(unsafe.Pointer(first))
}

func (a *arena) lengths(values []int) *C.uint64_t {
	if len(values) == 0 {
		return nil
	}
	copied, first := makeArray[C.uint64_t](a, len(values))
	for i, v := range values {
		copied[i] = C.uint64_t(v)
	}
	return first
}

// makeArray gives zeroed elements in C memory, as a slice and as the pointer to the first.
func makeArray[T any](a *arena, count int) ([]T, *T) {
	var one T
	first := (*T)(a.make(C.size_t(count) * C.size_t(unsafe.Sizeof(one))))
	return unsafe.Slice(first, count), first
}
