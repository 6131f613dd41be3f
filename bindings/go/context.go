package qubus

// #include "shim.h"
import "C"

import (
	"context"
	"math"
	"time"
)

// forever is the time-out of calls that wait until their context ends.
const forever = time.Duration(-1)

// remaining is the time until the context's deadline, or `otherwise` without one. A deadline that
// has passed gives 0.
func remaining(ctx context.Context, otherwise time.Duration) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return otherwise
	}
	left := time.Until(deadline)
	if left < 0 {
		return 0
	}
	return left
}

// milliseconds rounds up, so that a call never ends before its deadline; negative is for ever.
func milliseconds(d time.Duration) C.int64_t {
	if d < 0 {
		return -1
	}
	ms := math.Ceil(float64(d) / float64(time.Millisecond))
	if ms < 1 {
		return 1
	}
	return C.int64_t(ms)
}

type outcome[T any] struct {
	value T
	err   error
}

// interruptibly runs `f`, which blocks in C up to the time it is given. When the context ends first
// it returns at once, and `undo` frees what `f` may still give.
func interruptibly[T any](
	ctx context.Context, what string, otherwise time.Duration,
	f func(timeout C.int64_t) (T, error), undo func(T),
) (T, error) {
	var none T
	if ctx.Err() != nil {
		return none, contextError(ctx, what)
	}
	timeout := milliseconds(remaining(ctx, otherwise))
	if ctx.Done() == nil {
		return f(timeout)
	}
	done := make(chan outcome[T], 1)
	go func() {
		value, err := f(timeout)
		done <- outcome[T]{value, err}
	}()
	select {
	case o := <-done:
		return o.value, withContext(ctx, o.err)
	case <-ctx.Done():
		go func() {
			if o := <-done; o.err == nil && undo != nil {
				undo(o.value)
			}
		}()
		return none, contextError(ctx, what)
	}
}
