package qubus

// #include "shim.h"
import "C"

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"sync/atomic"
	"time"
	"unsafe"
)

// StepOutputs of a step, or-ed.
type StepOutputs uint32

const (
	StepValues      StepOutputs = 1
	StepGradients   StepOutputs = 2
	StepCounts      StepOutputs = 4
	StepStatevector StepOutputs = 8
)

// SessionSpec is what a session compiles once. Zero values are unset; negative numbers are sent, and
// refused by the server with their field and limit.
type SessionSpec struct {
	Program             string // OpenQASM 2 or 3 source; its inputs, in order, are the parameters
	Observables         []Observable
	Outputs             StepOutputs // that steps may ask for; 0: values and gradients with observables, else counts
	Shots               int64       // of each step; 0: exact
	TargetError         float64     // standard error at which a step stops; 0: take all shots
	SharesRandomNumbers bool        // every step draws the same random numbers
	Seed                *uint64
	Precision           string // double (default) or single
	Device              string
	Idle                time.Duration // without a step; then it ends; 0: the server's default
	Wall                time.Duration
	MaxDevice           time.Duration
	MaxSteps            int64
	MemoryBytes         int64
	Name                string
	Tags                []string
	IdempotencyKey      string
}

// Session is a program resident in the daemon, evaluated by steps. It may be shared by goroutines:
// their steps are ordered.
type Session struct {
	client     *Client
	handle     handle
	id         string
	secret     []byte
	parameters []string
	observables,
	qubits, bits int
	outputs StepOutputs
	isSlow  atomic.Bool // its last step with a cancelable context took long; see Evaluate
}

// OpenSession compiles a program and keeps its plan in the daemon. Close it, or Detach it.
//
// Errors: those of Submit; ErrTooManySessions, ErrQuotaExceeded, ErrInsufficientMemory.
func (c *Client) OpenSession(ctx context.Context, spec SessionSpec) (*Session, error) {
	return c.newSession(ctx, "open session", func(
		client *C.qubus_client, timeout C.int64_t, out **C.qubus_session, e *C.qubus_error,
	) (C.int32_t, error) {
		var memory arena
		defer memory.free()
		native, err := packSession(&memory, &spec)
		if err != nil {
			return 0, err
		}
		return C.qubus_session_open(client, native, timeout, out, e), nil
	})
}

// ResumeSession takes a session over, from another process or after a restart of this one.
// `lastSequence` is that of the last step that was answered here, 0 when it is unknown.
//
// Errors: ErrSessionNotFound, also for a wrong secret; ErrSessionLimitExceeded.
func (c *Client) ResumeSession(
	ctx context.Context, id string, secret []byte, lastSequence uint64,
) (*Session, error) {
	if len(secret) != C.QUBUS_SESSION_SECRET_BYTES {
		return nil, newError(ErrInvalidArgument, "the secret has %d bytes, it must have %d",
			len(secret), int(C.QUBUS_SESSION_SECRET_BYTES))
	}
	return c.newSession(ctx, "resume session", func(
		client *C.qubus_client, timeout C.int64_t, out **C.qubus_session, e *C.qubus_error,
	) (C.int32_t, error) {
		var memory arena
		defer memory.free()
		name, err := memory.textOrEmpty("session_id", id)
		if err != nil {
			return 0, err
		}
		key := (*C.uint8_t)(unsafe.Pointer(&secret[0]))
		return C.qubus_session_resume(client, name, key, C.uint64_t(lastSequence), timeout, out, e), nil
	})
}

func (c *Client) newSession(
	ctx context.Context, what string,
	make func(*C.qubus_client, C.int64_t, **C.qubus_session, *C.qubus_error) (C.int32_t, error),
) (*Session, error) {
	native, err := interruptibly(ctx, what, c.callTimeout,
		func(timeout C.int64_t) (*C.qubus_session, error) {
			client, err := c.native()
			if err != nil {
				return nil, err
			}
			defer c.handle.release()
			frame := takeFrame()
			defer giveFrame(frame)
			var session *C.qubus_session
			code, err := make(client, timeout, &session, &frame.error)
			if err == nil {
				err = failure(code, &frame.error)
			}
			return session, err
		},
		func(late *C.qubus_session) { C.qubus_session_free(&late) })
	if err != nil {
		return nil, err
	}
	s := &Session{client: c, id: C.GoString(C.qubus_session_id(native))}
	s.handle.pointer = unsafe.Pointer(native)
	secret := unsafe.Pointer(C.qubus_session_secret(native))
	s.secret = C.GoBytes(secret, C.QUBUS_SESSION_SECRET_BYTES)
	for i := C.uint64_t(0); i < C.qubus_session_parameter_count(native); i++ {
		s.parameters = append(s.parameters, C.GoString(C.qubus_session_parameter_name(native, i)))
	}
	s.observables = int(C.qubus_session_observable_count(native))
	s.qubits = int(C.qubus_session_qubit_count(native))
	s.bits = int(C.qubus_session_bit_count(native))
	s.outputs = StepOutputs(C.qubus_session_outputs(native))
	c.children.add(s)
	return s, nil
}

func packSession(memory *arena, spec *SessionSpec) (*C.qubus_session_spec, error) {
	list, native := makeArray[C.qubus_session_spec](memory, 1)
	n := &list[0]
	*n = C.qubus_go_session_spec()
	n.outputs = C.uint32_t(spec.Outputs)
	n.program, n.program_bytes = memory.bytes(spec.Program)
	var err error
	if n.observables, n.observable_count, err = packObservables(memory, spec.Observables); err != nil {
		return nil, err
	}
	for _, text := range []struct {
		to           **C.char
		field, value string
	}{
		{&n.precision, "precision", spec.Precision},
		{&n.device, "device", spec.Device},
		{&n.name, "name", spec.Name},
		{&n.idempotency_key, "idempotency_key", spec.IdempotencyKey},
	} {
		if *text.to, err = memory.text(text.field, text.value); err != nil {
			return nil, err
		}
	}
	if n.tags, n.tag_count, err = packTexts(memory, "tags", spec.Tags); err != nil {
		return nil, err
	}
	if spec.SharesRandomNumbers {
		n.shares_random_numbers = 1
	}
	if spec.Seed != nil {
		n.has_seed, n.seed = 1, C.uint64_t(*spec.Seed)
	}
	n.shots = orUnset(spec.Shots)
	n.max_steps = orUnset(spec.MaxSteps)
	n.memory_bytes = orUnset(spec.MemoryBytes)
	n.target_error = orNaN(spec.TargetError)
	n.idle_seconds = orNaN(spec.Idle.Seconds())
	n.wall_seconds = orNaN(spec.Wall.Seconds())
	n.max_device_seconds = orNaN(spec.MaxDevice.Seconds())
	return native, nil
}

func orUnset(value int64) C.int64_t {
	if value == 0 {
		return C.QUBUS_UNSET
	}
	return C.int64_t(value)
}

func orNaN(value float64) C.double {
	if value == 0 {
		return C.double(math.NaN())
	}
	return C.double(value)
}

// ID and Secret resume the session: whoever has the secret can take it over.
func (s *Session) ID() string { return s.id }

// Secret is a copy; see ID.
func (s *Session) Secret() []byte { return append([]byte(nil), s.secret...) }

// Parameters are the names of the program's inputs, in the order of a step's numbers.
func (s *Session) Parameters() []string { return append([]string(nil), s.parameters...) }

// Observables is their number: the values of a step's row.
func (s *Session) Observables() int { return s.observables }

func (s *Session) Qubits() int          { return s.qubits }
func (s *Session) Bits() int            { return s.bits }
func (s *Session) Outputs() StepOutputs { return s.outputs }

// LastSequence is that of the step answered last; 0 before the first and after a close.
func (s *Session) LastSequence() uint64 {
	native := (*C.qubus_session)(s.handle.acquire())
	defer s.handle.release()
	if native == nil {
		return 0
	}
	return uint64(C.qubus_session_last_sequence(native))
}

// native gives the pointer for one call; release the handle afterwards when err is nil.
func (s *Session) native() (*C.qubus_session, error) {
	native := (*C.qubus_session)(s.handle.acquire())
	if native != nil {
		return native, nil
	}
	s.handle.release()
	if s.client.isClosed.Load() {
		return nil, closedError("client")
	}
	return nil, newError(ErrSessionNotFound, "session %s was closed or detached here", s.id)
}

// SessionInfo is what the server tells about a session. JSON is the whole message Session.
type SessionInfo struct {
	ID                 string          `json:"session_id"`
	State              string          `json:"state"`
	Reason             string          `json:"reason"`
	Seed               uint64          `json:"seed"`
	Steps              uint64          `json:"steps"` // answered and charged
	LastSequence       uint64          `json:"last_sequence"`
	ShotsUsed          uint64          `json:"shots_used"`
	DeviceMicroseconds int64           `json:"device_microseconds"`
	JSON               json.RawMessage `json:"-"`
}

// Describe asks the server.
func (s *Session) Describe(ctx context.Context) (SessionInfo, error) {
	text, err := interruptibly(ctx, "describe session", s.client.callTimeout,
		func(timeout C.int64_t) ([]byte, error) {
			native, err := s.native()
			if err != nil {
				return nil, err
			}
			defer s.handle.release()
			frame := takeFrame()
			defer giveFrame(frame)
			var out *C.qubus_text
			code := C.qubus_session_describe(native, timeout, &out, &frame.error)
			if code != C.QUBUS_OK {
				return nil, failure(code, &frame.error)
			}
			return textBytes(out), nil
		}, nil)
	if err != nil {
		return SessionInfo{}, err
	}
	info := SessionInfo{JSON: text}
	return info, decode(text, &info)
}

// Sessions lists the caller's sessions, newest first.
func (c *Client) Sessions(ctx context.Context, includeEnded bool) ([]SessionInfo, error) {
	ended := C.int32_t(0)
	if includeEnded {
		ended = 1
	}
	text, err := interruptibly(ctx, "sessions", c.callTimeout,
		func(timeout C.int64_t) ([]byte, error) {
			client, err := c.native()
			if err != nil {
				return nil, err
			}
			defer c.handle.release()
			frame := takeFrame()
			defer giveFrame(frame)
			var out *C.qubus_text
			code := C.qubus_client_sessions(client, ended, timeout, &out, &frame.error)
			if code != C.QUBUS_OK {
				return nil, failure(code, &frame.error)
			}
			return textBytes(out), nil
		}, nil)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Sessions []json.RawMessage `json:"sessions"`
	}
	if err := decode(text, &answer); err != nil {
		return nil, err
	}
	infos := make([]SessionInfo, len(answer.Sessions))
	for i, one := range answer.Sessions {
		infos[i].JSON = one
		if err := decode(one, &infos[i]); err != nil {
			return nil, err
		}
	}
	return infos, nil
}

// Close ends the session at the server. Steps after it answer ErrSessionNotFound. It may be called
// twice, and while a step runs in another goroutine.
func (s *Session) Close() error {
	native, err := s.native()
	if err != nil {
		return nil
	}
	frame := takeFrame()
	defer giveFrame(frame)
	code := C.qubus_session_close(native, milliseconds(s.client.callTimeout), &frame.error)
	s.handle.release()
	err = failure(code, &frame.error)
	s.abandon()
	s.client.children.remove(s)
	if errors.Is(err, ErrSessionNotFound) {
		return nil // it ended by itself before
	}
	return err
}

// Detach leaves the session open at the server for a later ResumeSession and closes it here.
func (s *Session) Detach() error {
	native, err := s.native()
	if err != nil {
		return err
	}
	code := C.qubus_session_detach(native)
	s.handle.release()
	if code != C.QUBUS_OK {
		return newError(Code(code), "session %s cannot be detached", s.id)
	}
	s.abandon()
	s.client.children.remove(s)
	return nil
}

func (s *Session) abandon() {
	native := (*C.qubus_session)(s.handle.take())
	C.qubus_session_free(&native)
}
