package qubus

// #include "shim.h"
import "C"

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Code is a number of the error registry, the same in every language and on the wire. A Code is an
// error itself, so that the constants serve as sentinels: errors.Is(err, qubus.ErrInvalidShots).
type Code int32

// Name is the stable name, for example "invalid_shots"; "unknown" for a number of a newer server.
func (c Code) Name() string { return C.GoString(C.qubus_error_name(C.int32_t(c))) }

func (c Code) Error() string { return "qubus: " + c.Name() }

// Class tells the class by the range that holds the number; known numbers and later ones.
func (c Code) Class() Class {
	for _, r := range classRanges {
		if r.first <= c && c <= r.last {
			return r.class
		}
	}
	return ClassInternal
}

// Class is a class of the registry; errors.Is(err, qubus.ClassQuota) asks for all of its codes.
type Class string

func (c Class) Error() string { return "qubus: " + string(c) + " error" }

// Violation names one field that breaks a rule.
type Violation struct {
	Field       string `json:"field"`
	Explanation string `json:"explanation"`
	Limit       string `json:"limit"`
}

// Error is what every function of this package returns when it fails. Branch with errors.Is on a
// Code or a Class, read the rest with errors.As; never branch on the message.
//
// A call that its context ended is also errors.Is context.Canceled or context.DeadlineExceeded.
type Error struct {
	Code       Code
	Name       string        // stable, for example "invalid_shots"
	Class      Class         // of the registry
	Message    string        // what was wrong, where, what the limit is
	Action     string        // what to do
	Retryable  bool          // the same call may succeed later
	RetryAfter time.Duration // how long to wait before that; 0 when the server named none
	TraceID    string        // also in the server's log; "" for errors of the client side
	Line       int           // place in the program's source, from 1; 0 when there is none
	Column     int           // from 1, in Unicode scalars
	Text       string        // the offending text of the program
	Excerpt    string        // its source line and a caret line
	Violations []Violation
	Details    map[string]string

	// IdempotencyKey of a submit that failed: a new submit under it makes no second job.
	IdempotencyKey string

	cause error
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "qubus: %s (%d): %s", e.Name, int32(e.Code), e.Message)
	if e.Line > 0 && !strings.Contains(e.Message, fmt.Sprintf("line %d", e.Line)) {
		fmt.Fprintf(&b, " (line %d, column %d)", e.Line, e.Column)
	}
	for _, v := range e.Violations {
		if v.Explanation != "" && !strings.Contains(e.Message, v.Explanation) {
			fmt.Fprintf(&b, "; %s: %s", v.Field, v.Explanation)
		}
	}
	if e.Excerpt != "" && !strings.Contains(e.Message, e.Excerpt) {
		b.WriteString("\n" + strings.TrimRight(e.Excerpt, "\n"))
	}
	return b.String()
}

// Is lets errors.Is compare with a Code or a Class.
func (e *Error) Is(target error) bool {
	switch target := target.(type) {
	case Code:
		return e.Code == target
	case Class:
		return e.Class == target
	}
	return target == context.DeadlineExceeded && e.Code == ErrDeadlineExceeded
}

// Unwrap gives the error of the context that ended the call, or nil.
func (e *Error) Unwrap() error { return e.cause }

// frames keeps the out-parameters of C calls in Go memory, so that a step allocates nothing.
var frames = sync.Pool{New: func() any { return new(C.qubus_go_frame) }}

func takeFrame() *C.qubus_go_frame {
	frame := frames.Get().(*C.qubus_go_frame)
	C.qubus_go_reset(&frame.error)
	return frame
}

func giveFrame(frame *C.qubus_go_frame) { frames.Put(frame) }

// failure makes the error of a call that returned `code`; nil for success.
func failure(code C.int32_t, native *C.qubus_error) error {
	if code == C.QUBUS_OK {
		return nil
	}
	if native.code == 0 {
		return newError(Code(code), "")
	}
	e := &Error{
		Code:      Code(native.code),
		Name:      C.GoString(&native.name[0]),
		Class:     Class(C.GoString(&native.error_class[0])),
		Message:   C.GoString(&native.message[0]),
		Action:    C.GoString(&native.action[0]),
		Retryable: native.retryable != 0,
		TraceID:   C.GoString(&native.trace_id[0]),
		Line:      int(native.line),
		Column:    int(native.column),
		Text:      C.GoString(&native.text[0]),
		Excerpt:   C.GoString(&native.excerpt[0]),
	}
	if native.retry_after_milliseconds != C.QUBUS_UNSET {
		e.RetryAfter = time.Duration(native.retry_after_milliseconds) * time.Millisecond
	}
	var details struct {
		Violations []Violation       `json:"violations"`
		Details    map[string]string `json:"details"`
	}
	// The library keeps this JSON whole; an error without readable details is still an error.
	if json.Unmarshal([]byte(C.GoString(&native.details_json[0])), &details) == nil {
		e.Violations, e.Details = details.Violations, details.Details
	}
	return e
}

// newError makes an error of this side.
func newError(code Code, format string, arguments ...any) *Error {
	return &Error{
		Code: code, Name: code.Name(), Class: code.Class(),
		Message:   fmt.Sprintf(format, arguments...),
		Action:    C.GoString(C.qubus_error_action(C.int32_t(code))),
		Retryable: retryable(code),
	}
}

func closedError(what string) *Error { return newError(ErrClientClosed, "the %s is closed", what) }

// contextError tells why the context ended a call.
func contextError(ctx context.Context, what string) *Error {
	code := ErrCallCanceled
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		code = ErrDeadlineExceeded
	}
	e := newError(code, "%s: %v", what, ctx.Err())
	e.cause = ctx.Err()
	return e
}

// withContext adds the context's error to one of a call that ran into the context's deadline.
func withContext(ctx context.Context, err error) error {
	var e *Error
	if errors.As(err, &e) && e.cause == nil && ctx.Err() != nil &&
		(e.Code == ErrDeadlineExceeded || e.Code == ErrCallCanceled) {
		e.cause = ctx.Err()
	}
	return err
}
