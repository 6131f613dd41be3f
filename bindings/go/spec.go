package qubus

import "time"

// Parameter holds values of one input of a program, row-major; no Shape is a scalar.
type Parameter struct {
	Name   string
	Shape  []int
	Values []float64
}

// Scalar is one value for the input `name`.
func Scalar(name string, value float64) Parameter {
	return Parameter{Name: name, Values: []float64{value}}
}

// Vector is a sweep over values of the input `name`.
func Vector(name string, values []float64) Parameter {
	return Parameter{Name: name, Shape: []int{len(values)}, Values: values}
}

// Term is one Pauli string with its coefficient; the leftmost letter acts on the highest qubit.
type Term struct {
	Pauli       string
	Coefficient float64
}

// Observable is a sum of Pauli strings.
type Observable []Term

// Outputs of a pub, or-ed; 0 is by what is asked for.
type Outputs uint32

const (
	OutputCounts            Outputs = 1
	OutputMemory            Outputs = 2
	OutputProbabilities     Outputs = 4
	OutputStatevector       Outputs = 8
	OutputExpectationValues Outputs = 16
)

// Pub is a publication unit: one program with parameters and observables that broadcast against
// each other by the rules of NumPy.
type Pub struct {
	Program          string // OpenQASM 2 or 3 source
	Parameters       []Parameter
	Observables      []Observable
	ObservablesShape []int // none: a vector, or a scalar when there is one
	Outputs          Outputs
	Shots            int64   // 0: none, exact outputs only; the server judges other numbers
	TargetPrecision  float64 // standard error aimed at instead of a number of shots; 0: unset
}

// Priority is the class of a job.
type Priority int32

const (
	PriorityAutomatic Priority = iota
	PriorityInteractive
	PriorityBatch
)

// JobSpec is what to run and how. Zero values are unset; a zero duration sets no limit.
type JobSpec struct {
	Pubs []Pub
	// IdempotencyKey makes a submit safe to repeat; "": one is drawn, told by Job and Error.
	IdempotencyKey         string
	ClientJobID            string
	Device                 string
	DeviceFamily           string
	DevicePolicy           string // cheapest, fastest, best_fidelity
	AllowSimulatorFallback bool
	Seed                   *uint64 // nil: drawn at acceptance; see qubus.Seed
	Priority               Priority
	MaxError               float64
	Deadline               time.Duration // bounds the job, not the call
	TTL                    time.Duration
	Expected               time.Duration
	MaxRun                 time.Duration
	MaxCost                *int64 // micro-units
	Precision              string // double (default) or single
	ExperimentID           string
	Name                   string
	Tags                   []string
	ExperimentClass        string
	Citation               string
	After                  []string // ids of jobs that have to end first, in whatever way
	AfterOK                []string // of jobs that have to succeed first; else dependency_failed
}

// Seed gives a pointer for JobSpec.Seed, SessionSpec.Seed and OptimizationSpec.Seed.
func Seed(seed uint64) *uint64 { return &seed }

// Program is the spec of one program with shots.
func Program(source string, shots int64) JobSpec {
	return JobSpec{Pubs: []Pub{{Program: source, Shots: shots}}}
}
