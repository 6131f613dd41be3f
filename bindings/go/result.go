package qubus

// #include "shim.h"
import "C"

import (
	"encoding/json"
	"unsafe"
)

func pointerOf(text *C.char) unsafe.Pointer { return unsafe.Pointer(text) }

// DataType of the numbers of an array.
type DataType int32

const (
	TypeUint8      DataType = 1
	TypeUint64     DataType = 2
	TypeInt64      DataType = 3
	TypeFloat64    DataType = 4
	TypeComplex128 DataType = 5
)

// Array is a named array of a result, row-major, in Go memory. One of the slices holds the numbers,
// as DataType says.
type Array struct {
	Name       string
	Pub        int
	Shape      []int
	DataType   DataType
	Uint8      []uint8
	Uint64     []uint64
	Int64      []int64
	Float64    []float64
	Complex128 []complex128
}

// Result holds the outputs of a job, or of a step with other outputs than numbers. It is plain Go
// memory, copied once from the library: there is nothing to close.
type Result struct {
	arrays                    []Array
	bitCounts                 map[int]int // of pubs with counts
	isPartial                 bool
	manifest, provenance, job json.RawMessage
}

func takeResult(call *C.qubus_call, native *C.qubus_error) (*Result, error) {
	var taken *C.qubus_result
	if code := C.qubus_call_take_result(call, &taken, native); code != C.QUBUS_OK {
		return nil, failure(code, native)
	}
	defer C.qubus_result_free(&taken)
	result := &Result{
		bitCounts:  make(map[int]int),
		isPartial:  C.qubus_result_is_partial(taken) != 0,
		manifest:   []byte(C.GoString(C.qubus_result_manifest_json(taken))),
		provenance: []byte(C.GoString(C.qubus_result_provenance_json(taken))),
		job:        []byte(C.GoString(C.qubus_result_job_json(taken))),
	}
	count := uint64(C.qubus_result_array_count(taken))
	for i := uint64(0); i < count; i++ {
		array := C.qubus_go_array()
		if code := C.qubus_result_array(taken, C.uint64_t(i), &array, native); code != C.QUBUS_OK {
			return nil, failure(code, native)
		}
		if array.data == nil && array.bytes > 0 {
			continue // only the manifest was asked for
		}
		result.arrays = append(result.arrays, copyArray(&array))
		if array.data != nil && C.GoString(array.name) == "counts.offsets" {
			var bits C.uint32_t
			code := C.qubus_result_counts_size(taken, array.pub, 0, nil, &bits, native)
			if code != C.QUBUS_OK {
				return nil, failure(code, native)
			}
			result.bitCounts[int(array.pub)] = int(bits)
		}
	}
	return result, nil
}

func copyArray(native *C.qubus_array) Array {
	array := Array{
		Name: C.GoString(native.name), Pub: int(native.pub), DataType: DataType(native.data_type),
		Shape: make([]int, int(native.rank)),
	}
	for i := range array.Shape {
		array.Shape[i] = int(native.shape[i])
	}
	switch array.DataType {
	case TypeUint8:
		array.Uint8 = copied[uint8](native)
	case TypeUint64:
		array.Uint64 = copied[uint64](native)
	case TypeInt64:
		array.Int64 = copied[int64](native)
	case TypeFloat64:
		array.Float64 = copied[float64](native)
	case TypeComplex128:
		array.Complex128 = copied[complex128](native)
	}
	return array
}

func copied[T any](native *C.qubus_array) []T {
	var one T
	count := uint64(native.bytes) / uint64(unsafe.Sizeof(one))
	numbers := make([]T, count)
	if count > 0 {
		copy(numbers, unsafe.Slice((*T)(native.data), count))
	}
	return numbers
}

// Arrays are all of them, in the order of the manifest.
func (r *Result) Arrays() []Array { return r.arrays }

// Array finds one, for example "probabilities" of pub 0. Errors: ErrUnknownResultItem.
func (r *Result) Array(pub int, name string) (Array, error) {
	for _, array := range r.arrays {
		if array.Pub == pub && array.Name == name {
			return array, nil
		}
	}
	return Array{}, newError(ErrUnknownResultItem, "pub %d has no %q", pub, name)
}

// ExpectationValues of a pub, row-major; Array tells the shape.
func (r *Result) ExpectationValues(pub int) ([]float64, error) {
	array, err := r.Array(pub, "expectation_values")
	return array.Float64, err
}

// Probabilities of a pub, row-major; the index of a row is the outcome as a number.
func (r *Result) Probabilities(pub int) ([]float64, error) {
	array, err := r.Array(pub, "probabilities")
	return array.Float64, err
}

// Statevector of a pub; qubit 0 is the least significant bit of the index.
func (r *Result) Statevector(pub int) ([]complex128, error) {
	array, err := r.Array(pub, "statevector")
	return array.Complex128, err
}

// IsPartial is true for what a canceled job had.
func (r *Result) IsPartial() bool { return r.isPartial }

// Provenance is the JSON of message Provenance: everything needed to replay the result.
func (r *Result) Provenance() json.RawMessage { return r.provenance }

// Manifest is the JSON of message ResultManifest.
func (r *Result) Manifest() json.RawMessage { return r.manifest }

// JobJSON is the JSON of message Job as it was when the result was fetched.
func (r *Result) JobJSON() json.RawMessage { return r.job }

// ExecutionHash is SHA-256 over the canonical results, hexadecimal; "" for a step.
func (r *Result) ExecutionHash() string {
	var manifest struct {
		ExecutionHash string `json:"execution_hash"`
	}
	// A step has no manifest, and then no hash.
	_ = json.Unmarshal(r.manifest, &manifest)
	return manifest.ExecutionHash
}
