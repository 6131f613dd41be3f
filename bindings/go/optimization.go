package qubus

// #include "shim.h"
import "C"

import (
	"context"
	"errors"
	"time"
	"unsafe"
)

// OptimizationSpec minimizes an observable in the daemon. Zero values are unset.
type OptimizationSpec struct {
	Observable     int    // index of the objective
	Method         string // spsa, adam, lbfgs, nelder_mead, rotosolve
	Initial        []float64
	Lower, Upper   []float64 // both or none; infinities allowed
	Options        map[string]float64
	MaxIterations  int64
	MaxEvaluations int64
	MaxShots       int64
	MaxCost        int64 // micro-units
	MaxTime        time.Duration
	MaxDevice      time.Duration
	Shots          uint64 // of each evaluation; 0: the session's
	TargetError    float64
	Seed           *uint64
}

// Iteration of an optimization.
type Iteration struct {
	Number       uint64 // 1, 2, 3, …
	Value        float64
	GradientNorm float64 // NaN for methods without one
	Parameters   []float64
	Evaluations  uint64 // so far, at the end of the batch that it came with
	ShotsUsed    uint64
	DeviceTime   time.Duration
}

// Optimum is the end of an optimization.
type Optimum struct {
	Best, Last           []float64
	BestValue, LastValue float64
	Iterations           uint64
	Evaluations          uint64
	ShotsUsed            uint64
	DeviceTime           time.Duration
	Ending               string // converged, stalled, max_iterations, …, canceled
}

// Optimization iterates over what the daemon does, like Events over a job:
//
//	for optimization.Next() {
//		fmt.Println(optimization.Iteration().Value)
//	}
//	if err := optimization.Err(); err != nil { … }
//	optimum, err := optimization.Result(ctx)
type Optimization struct {
	session   *Session
	ctx       context.Context
	handle    handle
	tag       uint64
	wake      chan struct{}
	iteration Iteration
	err       error
	isDone    bool
}

// Optimize starts an optimization. The context bounds the iteration by Next, not the optimization,
// which goes on at the server until it ends or is canceled.
//
// Errors: ErrInvalidOptimizer, ErrParameterCountMismatch, ErrSessionNotFound; what the server
// refuses comes from Next and Result.
func (s *Session) Optimize(ctx context.Context, spec OptimizationSpec) (*Optimization, error) {
	count := len(s.parameters)
	for _, numbers := range []struct {
		name   string
		values []float64
		isSet  bool
	}{
		{"initial", spec.Initial, true},
		{"lower", spec.Lower, spec.Lower != nil || spec.Upper != nil},
		{"upper", spec.Upper, spec.Lower != nil || spec.Upper != nil},
	} {
		if numbers.isSet && len(numbers.values) != count {
			return nil, newError(ErrParameterCountMismatch, "%s has %d numbers, the program has %d inputs",
				numbers.name, len(numbers.values), count)
		}
	}
	if spec.Observable < 0 || spec.Observable >= s.observables {
		return nil, newError(ErrInvalidOptimizer, "observable is %d, the session has %d",
			spec.Observable, s.observables)
	}
	return s.watch(ctx, func(
		native *C.qubus_session, tag C.uint64_t, out **C.qubus_optimization, e *C.qubus_error,
	) (C.int32_t, error) {
		var memory arena
		defer memory.free()
		packed, err := packOptimization(&memory, &spec)
		if err != nil {
			return 0, err
		}
		return C.qubus_go_optimization_start(
			native, packed, first(spec.Initial), first(spec.Lower), first(spec.Upper), tag, out, e), nil
	})
}

// AttachOptimization watches one that was started before; iterations up to `after` are not told.
func (s *Session) AttachOptimization(
	ctx context.Context, id string, after uint64,
) (*Optimization, error) {
	return s.watch(ctx, func(
		native *C.qubus_session, tag C.uint64_t, out **C.qubus_optimization, e *C.qubus_error,
	) (C.int32_t, error) {
		var memory arena
		defer memory.free()
		name, err := memory.textOrEmpty("optimization_id", id)
		if err != nil {
			return 0, err
		}
		return C.qubus_optimization_attach(native, name, C.uint64_t(after), tag, out, e), nil
	})
}

func packOptimization(memory *arena, spec *OptimizationSpec) (*C.qubus_optimization_spec, error) {
	list, native := makeArray[C.qubus_optimization_spec](memory, 1)
	n := &list[0]
	*n = C.qubus_go_optimization_spec()
	n.observable = C.uint32_t(spec.Observable)
	var err error
	if n.method, err = memory.textOrEmpty("method", spec.Method); err != nil {
		return nil, err
	}
	if len(spec.Options) > 0 {
		options, first := makeArray[C.qubus_option](memory, len(spec.Options))
		i := 0
		for name, value := range spec.Options {
			if options[i].name, err = memory.textOrEmpty("options", name); err != nil {
				return nil, err
			}
			options[i].value = C.double(value)
			i++
		}
		n.options, n.option_count = first, C.uint64_t(len(options))
	}
	n.max_iterations = orUnset(spec.MaxIterations)
	n.max_evaluations = orUnset(spec.MaxEvaluations)
	n.max_shots = orUnset(spec.MaxShots)
	n.max_cost = orUnset(spec.MaxCost)
	n.max_seconds = orNaN(spec.MaxTime.Seconds())
	n.max_device_seconds = orNaN(spec.MaxDevice.Seconds())
	n.shots = C.uint64_t(spec.Shots)
	n.target_error = C.double(spec.TargetError)
	if spec.Seed != nil {
		n.has_seed, n.seed = 1, C.uint64_t(*spec.Seed)
	}
	return native, nil
}

func (s *Session) watch(
	ctx context.Context,
	start func(*C.qubus_session, C.uint64_t, **C.qubus_optimization, *C.qubus_error) (C.int32_t, error),
) (*Optimization, error) {
	if ctx.Err() != nil {
		return nil, contextError(ctx, "optimize")
	}
	client, err := s.client.native()
	if err != nil {
		return nil, err
	}
	defer s.client.handle.release()
	native, err := s.native()
	if err != nil {
		return nil, err
	}
	defer s.handle.release()
	tag, wake, err := s.client.dispatch.register(client)
	if err != nil {
		return nil, err
	}
	frame := takeFrame()
	defer giveFrame(frame)
	var optimization *C.qubus_optimization
	code, err := start(native, C.uint64_t(tag), &optimization, &frame.error)
	if err == nil {
		err = failure(code, &frame.error)
	}
	if err != nil {
		s.client.dispatch.forget(tag)
		return nil, err
	}
	o := &Optimization{session: s, ctx: ctx, tag: tag, wake: wake}
	o.handle.pointer = unsafe.Pointer(optimization)
	s.client.children.add(o)
	return o, nil
}

// ID is "" until the server has told it.
func (o *Optimization) ID() string {
	native := (*C.qubus_optimization)(o.handle.acquire())
	defer o.handle.release()
	if native == nil {
		return ""
	}
	return C.GoString(C.qubus_optimization_id(native))
}

// Next waits for the next iteration; false after the last one, after an error and after Close.
func (o *Optimization) Next() bool {
	for !o.isDone {
		err := o.read()
		if err == nil {
			return true
		}
		if err != errNothingYet {
			o.isDone = true
			if !errors.Is(err, ErrEndOfStream) {
				o.err = err
			}
			break
		}
		select {
		case <-o.wake:
		case <-o.ctx.Done():
		}
		if o.ctx.Err() != nil {
			o.isDone, o.err = true, contextError(o.ctx, "optimization")
		}
	}
	return false
}

func (o *Optimization) read() error {
	native := (*C.qubus_optimization)(o.handle.acquire())
	defer o.handle.release()
	if native == nil {
		return newError(ErrEndOfStream, "the optimization is closed")
	}
	frame := takeFrame()
	defer giveFrame(frame)
	iteration := C.qubus_go_iteration()
	code := C.qubus_optimization_next(native, 0, &iteration, &frame.error)
	if code == C.QUBUS_E_DEADLINE_EXCEEDED {
		return errNothingYet
	}
	if code != C.QUBUS_OK {
		return failure(code, &frame.error)
	}
	o.iteration = Iteration{
		Number: uint64(iteration.number), Value: float64(iteration.value),
		GradientNorm: float64(iteration.gradient_norm),
		Parameters:   numbersAt(iteration.parameters, iteration.parameter_count),
		Evaluations:  uint64(iteration.evaluations), ShotsUsed: uint64(iteration.shots_used),
		DeviceTime: time.Duration(iteration.device_microseconds) * time.Microsecond,
	}
	return nil
}

// numbersAt copies numbers of the library.
func numbersAt(numbers *C.double, count C.uint32_t) []float64 {
	copied := make([]float64, int(count))
	if count > 0 {
		copy(copied, unsafe.Slice((*float64)(unsafe.Pointer(numbers)), int(count)))
	}
	return copied
}

// Iteration is the one that Next came to.
func (o *Optimization) Iteration() Iteration { return o.iteration }

// Err is what ended the iteration before the last one; nil otherwise.
func (o *Optimization) Err() error { return o.err }

// Result waits for the end, as long as the context lasts; iterations that were not read are skipped.
func (o *Optimization) Result(ctx context.Context) (Optimum, error) {
	for {
		if ctx.Err() != nil {
			return Optimum{}, contextError(ctx, "optimization")
		}
		wait := remaining(ctx, forever)
		isLast := wait >= 0 && wait <= resultSlice
		if !isLast {
			wait = resultSlice
		}
		optimum, err := o.result(milliseconds(wait))
		if !errors.Is(err, ErrDeadlineExceeded) || isLast {
			return optimum, withContext(ctx, err)
		}
	}
}

// resultSlice is how long Result waits in C before it looks at its context.
const resultSlice = 100 * time.Millisecond

func (o *Optimization) result(timeout C.int64_t) (Optimum, error) {
	native := (*C.qubus_optimization)(o.handle.acquire())
	defer o.handle.release()
	if native == nil {
		return Optimum{}, newError(ErrOptimizationNotFound, "the optimization was closed here")
	}
	frame := takeFrame()
	defer giveFrame(frame)
	optimum := C.qubus_go_optimum()
	code := C.qubus_optimization_result(native, timeout, &optimum, &frame.error)
	if code != C.QUBUS_OK {
		return Optimum{}, failure(code, &frame.error)
	}
	return Optimum{
		Best:      numbersAt(optimum.best, optimum.parameter_count),
		Last:      numbersAt(optimum.last, optimum.parameter_count),
		BestValue: float64(optimum.best_value), LastValue: float64(optimum.last_value),
		Iterations: uint64(optimum.iterations), Evaluations: uint64(optimum.evaluations),
		ShotsUsed:  uint64(optimum.shots_used),
		DeviceTime: time.Duration(optimum.device_microseconds) * time.Microsecond,
		Ending:     C.GoString(optimum.ending),
	}, nil
}

// Cancel stops it at the server and tells whether it was running; Result then gives the best so far.
func (o *Optimization) Cancel(ctx context.Context) (bool, error) {
	return interruptibly(ctx, "cancel optimization", o.session.client.callTimeout,
		func(timeout C.int64_t) (bool, error) {
			native := (*C.qubus_optimization)(o.handle.acquire())
			defer o.handle.release()
			if native == nil {
				return false, newError(ErrOptimizationNotFound, "the optimization was closed here")
			}
			frame := takeFrame()
			defer giveFrame(frame)
			var wasRunning C.int32_t
			code := C.qubus_optimization_cancel(native, timeout, &wasRunning, &frame.error)
			return wasRunning != 0, failure(code, &frame.error)
		}, nil)
}

// Close stops watching; the optimization goes on unless it was canceled. It may be called twice.
func (o *Optimization) Close() error {
	o.abandon()
	o.session.client.children.remove(o)
	return nil
}

func (o *Optimization) abandon() {
	native := (*C.qubus_optimization)(o.handle.take())
	C.qubus_optimization_free(&native)
	o.session.client.dispatch.forget(o.tag)
	signal(o.wake)
}
