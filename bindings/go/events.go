package qubus

// #include "shim.h"
import "C"

import (
	"context"
	"encoding/json"
	"errors"
	"time"
	"unsafe"
)

// Event is one event of a job.
type Event struct {
	Sequence uint64    // 1, 2, 3, … within the job
	Time     time.Time // UTC
	Type     string    // for example "status.changed"
	Status   Status    // the job's after the event
	Reason   string
	Attempt  int
	JSON     json.RawMessage // the whole message JobEvent
}

// Events iterates over the events of a job, in order, without gap or double, also over reconnects
// and restarts of the daemon:
//
//	events, err := job.Events(ctx, 0)
//	if err != nil { … }
//	defer events.Close()
//	for events.Next() {
//		fmt.Println(events.Event().Type)
//	}
//	if err := events.Err(); err != nil { … }
//
// One goroutine reads; Close may come from another.
type Events struct {
	client *Client
	ctx    context.Context
	handle handle
	tag    uint64
	wake   chan struct{}
	event  Event
	err    error
	isDone bool
}

// Events opens the stream after a sequence number; 0 is from the start. The context bounds the
// whole iteration.
func (j *Job) Events(ctx context.Context, after uint64) (*Events, error) {
	if ctx.Err() != nil {
		return nil, contextError(ctx, "events")
	}
	c := j.client
	client, err := c.native()
	if err != nil {
		return nil, err
	}
	defer c.handle.release()
	tag, wake, err := c.dispatch.register(client)
	if err != nil {
		return nil, err
	}
	frame := takeFrame()
	defer giveFrame(frame)
	var stream *C.qubus_stream
	code := j.attached(client, &frame.error, func(job *C.qubus_job) C.int32_t {
		return C.qubus_stream_open(job, C.uint64_t(after), C.uint64_t(tag), &stream, &frame.error)
	})
	if code != C.QUBUS_OK {
		c.dispatch.forget(tag)
		return nil, failure(code, &frame.error)
	}
	e := &Events{client: c, ctx: ctx, tag: tag, wake: wake}
	e.handle.pointer = unsafe.Pointer(stream)
	c.children.add(e)
	return e, nil
}

// Next waits for the next event; false after the terminal one, after an error and after Close.
func (e *Events) Next() bool {
	for !e.isDone {
		err := e.read()
		if err == nil {
			return true
		}
		if err != errNothingYet {
			e.isDone = true
			if !errors.Is(err, ErrEndOfStream) {
				e.err = err
			}
			break
		}
		select {
		case <-e.wake:
		case <-e.ctx.Done():
		}
		if e.ctx.Err() != nil {
			e.isDone, e.err = true, contextError(e.ctx, "events")
		}
	}
	return false
}

// errNothingYet stands for the library's time-out of 0 milliseconds.
var errNothingYet error = ErrDeadlineExceeded

func (e *Events) read() error {
	stream := (*C.qubus_stream)(e.handle.acquire())
	defer e.handle.release()
	if stream == nil {
		return newError(ErrEndOfStream, "the events are closed")
	}
	frame := takeFrame()
	defer giveFrame(frame)
	native := C.qubus_go_event()
	code := C.qubus_stream_next(stream, 0, &native, &frame.error)
	if code == C.QUBUS_E_DEADLINE_EXCEEDED {
		return errNothingYet
	}
	if code != C.QUBUS_OK {
		return failure(code, &frame.error)
	}
	e.event = Event{
		Sequence: uint64(native.sequence),
		Time:     time.UnixMicro(int64(native.time_microseconds)).UTC(),
		Type:     C.GoString(native._type),
		Status:   Status(C.GoString(C.qubus_job_status_name(native.status))),
		Reason:   C.GoString(native.reason),
		Attempt:  int(native.attempt),
		JSON:     []byte(C.GoStringN(native.json, C.int(native.json_bytes))),
	}
	return nil
}

// Event is the one that Next came to.
func (e *Events) Event() Event { return e.event }

// Err is what ended the iteration before the terminal event; nil otherwise.
func (e *Events) Err() error { return e.err }

// Close ends the stream at the server; a Next that waits returns false. It may be called twice.
func (e *Events) Close() error {
	e.abandon()
	e.client.children.remove(e)
	return nil
}

func (e *Events) abandon() {
	stream := (*C.qubus_stream)(e.handle.take())
	C.qubus_stream_free(&stream)
	e.client.dispatch.forget(e.tag)
	signal(e.wake)
}
