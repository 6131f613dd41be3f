package qubus

// #include "shim.h"
import "C"

import (
	"context"
	"errors"
	"time"
	"unsafe"
)

// Step is one evaluation: numbers in, numbers out. The slices belong to the caller; the library
// reads and writes them in place. What has no room is refused, nothing is truncated. A Step that is
// used again allocates nothing.
type Step struct {
	Outputs        StepOutputs // StepValues and/or StepGradients; 0: values
	Parameters     []float64   // rows × parameters, row-major
	Rows           int         // 0: 1
	Values         []float64   // rows × observables
	Gradients      []float64   // rows × observables × parameters
	StandardErrors []float64   // rows × observables, NaN when exact; may be nil
	Shots          uint64      // 0: the session's
	TargetError    float64     // 0: the session's

	// Set by Evaluate.
	Sequence    uint64
	ShotsUsed   uint64
	DeviceTime  time.Duration
	WasRepeated bool // the server had answered it before a lost connection
	WasRebuilt  bool // the plan had been dropped, or the daemon restarted
	NormDrift   float64
}

// A step in C cannot be interrupted, and one that runs into its time-out is begun anew. So the steps
// of a cancelable context wait in C for a time in which almost every step is answered; those of a
// session whose steps take longer go the way of calls, with one copy and a wake-up more.
const (
	stepProbe = 250 * time.Millisecond
	slowStep  = 100 * time.Millisecond
)

// Evaluate is the step that the others are made of. It neither copies numbers nor allocates, except
// that a step of more than a tenth of a second, under a context that can be canceled, is copied.
//
// After a lost connection the step is sent again under its number: it is evaluated and charged once.
// After ErrDeadlineExceeded and ErrCallCanceled the same call may be made again and goes on with the
// same step.
//
// Errors: ErrParameterCountMismatch, ErrInvalidParameterValue for NaN and infinities,
// ErrInvalidStep, ErrBufferTooSmall, ErrSessionNotFound, ErrSessionHeldElsewhere, ErrSessionBusy,
// ErrSessionLimitExceeded, and those of class ClassExecution.
func (s *Session) Evaluate(ctx context.Context, step *Step) error {
	if ctx.Err() != nil {
		return contextError(ctx, "step")
	}
	rows, err := s.rows(step)
	if err != nil {
		return err
	}
	left := remaining(ctx, s.client.callTimeout)
	if ctx.Done() == nil || left <= stepProbe {
		return withContext(ctx, s.evaluateInPlace(step, rows, left))
	}
	if !s.isSlow.Load() {
		err := s.evaluateInPlace(step, rows, stepProbe)
		if !errors.Is(err, ErrDeadlineExceeded) {
			return err
		}
		s.isSlow.Store(true)
	}
	started := time.Now()
	err = s.evaluateCopied(ctx, step)
	if err == nil && time.Since(started) < slowStep {
		s.isSlow.Store(false)
	}
	return err
}

func (s *Session) evaluateInPlace(step *Step, rows C.uint64_t, timeout time.Duration) error {
	native, err := s.native()
	if err != nil {
		return err
	}
	defer s.handle.release()
	frame := takeFrame()
	defer giveFrame(frame)
	code := C.qubus_go_session_step(
		unsafe.Pointer(native), C.uint32_t(step.Outputs), first(step.Parameters), rows,
		first(step.Values), C.uint64_t(len(step.Values)),
		first(step.Gradients), C.uint64_t(len(step.Gradients)),
		first(step.StandardErrors), C.uint64_t(len(step.StandardErrors)),
		C.uint64_t(step.Shots), C.double(step.TargetError), milliseconds(timeout), frame)
	if code != C.QUBUS_OK {
		return failure(code, &frame.error)
	}
	step.Sequence = uint64(frame.sequence)
	step.ShotsUsed = uint64(frame.shots_used)
	step.DeviceTime = time.Duration(frame.device_nanoseconds)
	step.WasRepeated = frame.was_repeated != 0
	step.WasRebuilt = frame.was_rebuilt != 0
	step.NormDrift = float64(frame.norm_drift)
	return nil
}

func (s *Session) evaluateCopied(ctx context.Context, step *Step) error {
	asked := *step
	if asked.Outputs == 0 {
		asked.Outputs = StepValues // as in place: a call would choose by the session
	}
	result, err := s.Run(ctx, &asked)
	if err != nil {
		return err
	}
	for _, to := range []struct {
		name    string
		numbers []float64
		isAsked bool
	}{
		{"values", step.Values, asked.Outputs&StepValues != 0},
		{"gradients", step.Gradients, asked.Outputs&StepGradients != 0},
		{"standard_errors", step.StandardErrors, step.StandardErrors != nil},
	} {
		array, err := result.Array(0, to.name)
		if !to.isAsked || err != nil && to.name == "standard_errors" {
			continue // an exact step has none
		}
		if err != nil {
			return err
		}
		if len(to.numbers) < len(array.Float64) {
			return newError(ErrBufferTooSmall, "step.%s needs room for %d numbers, it has %d",
				to.name, len(array.Float64), len(to.numbers))
		}
		copy(to.numbers, array.Float64)
	}
	var facts struct {
		Sequence          uint64  `json:"sequence"`
		ShotsUsed         uint64  `json:"shots_used"`
		DeviceNanoseconds int64   `json:"device_nanoseconds"`
		WasRepeated       bool    `json:"was_repeated"`
		WasRebuilt        bool    `json:"was_rebuilt"`
		NormDrift         float64 `json:"norm_drift"`
	}
	if err := decode(result.Provenance(), &facts); err != nil {
		return err
	}
	step.Sequence, step.ShotsUsed = facts.Sequence, facts.ShotsUsed
	step.DeviceTime = time.Duration(facts.DeviceNanoseconds)
	step.WasRepeated, step.WasRebuilt = facts.WasRepeated, facts.WasRebuilt
	step.NormDrift = facts.NormDrift
	return nil
}

// rows checks what the library cannot see: that the parameters are as long as the rows say.
func (s *Session) rows(step *Step) (C.uint64_t, error) {
	rows := step.Rows
	if rows == 0 {
		rows = 1
	}
	if rows < 0 {
		return 0, newError(ErrInvalidStep, "a step of %d rows", rows)
	}
	count := len(s.parameters)
	if count > 0 && rows > len(step.Parameters)/count || len(step.Parameters) != rows*count {
		return 0, newError(ErrParameterCountMismatch,
			"%d rows of %d parameters are %d numbers, the step has %d",
			rows, count, rows*count, len(step.Parameters))
	}
	return C.uint64_t(rows), nil
}

func first(numbers []float64) *C.double {
	if len(numbers) == 0 {
		return nil
	}
	return (*C.double)(unsafe.Pointer(&numbers[0]))
}

// Step evaluates the observables at one parameter vector.
func (s *Session) Step(ctx context.Context, parameters []float64) ([]float64, error) {
	return s.Batch(ctx, parameters, 1)
}

// Batch evaluates the observables at `rows` vectors, row-major; the values are rows × observables.
func (s *Session) Batch(ctx context.Context, parameters []float64, rows int) ([]float64, error) {
	if rows <= 0 {
		return nil, newError(ErrInvalidStep, "a batch of %d rows", rows)
	}
	step := Step{Parameters: parameters, Rows: rows}
	if _, err := s.rows(&step); err != nil { // before room is made for it
		return nil, err
	}
	step.Values = make([]float64, rows*s.observables)
	err := s.Evaluate(ctx, &step)
	return step.Values, err
}

// StepGradient gives the values and their gradients, observables × parameters.
func (s *Session) StepGradient(
	ctx context.Context, parameters []float64,
) (values, gradients []float64, err error) {
	step := Step{
		Outputs: StepValues | StepGradients, Parameters: parameters,
		Values:    make([]float64, s.observables),
		Gradients: make([]float64, s.observables*len(s.parameters)),
	}
	err = s.Evaluate(ctx, &step)
	return step.Values, step.Gradients, err
}

// Counts samples at one parameter vector, with the session's shots.
func (s *Session) Counts(ctx context.Context, parameters []float64) (map[string]uint64, error) {
	result, err := s.Run(ctx, &Step{Outputs: StepCounts, Parameters: parameters})
	if err != nil {
		return nil, err
	}
	return result.Counts()
}

// Statevector gives the final state at one parameter vector.
func (s *Session) Statevector(ctx context.Context, parameters []float64) ([]complex128, error) {
	result, err := s.Run(ctx, &Step{Outputs: StepStatevector, Parameters: parameters})
	if err != nil {
		return nil, err
	}
	return result.Statevector(0)
}

// Run evaluates a step with any outputs and any number of rows into a Result: values,
// standard_errors, gradients, counts, statevector. Of the step only the inputs are read.
func (s *Session) Run(ctx context.Context, step *Step) (*Result, error) {
	rows, err := s.rows(step)
	if err != nil {
		return nil, err
	}
	return perform(ctx, s.client, "step", s.client.callTimeout,
		func(_ *C.qubus_client, tag C.uint64_t, out **C.qubus_call, e *C.qubus_error) C.int32_t {
			native := (*C.qubus_session)(s.handle.acquire())
			defer s.handle.release()
			if native == nil {
				return C.QUBUS_E_SESSION_NOT_FOUND
			}
			return C.qubus_go_session_step_start(
				native, C.uint32_t(step.Outputs), first(step.Parameters), rows,
				C.uint64_t(step.Shots), C.double(step.TargetError), tag, out, e)
		}, takeResult)
}
