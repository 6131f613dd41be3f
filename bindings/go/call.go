package qubus

// #include "shim.h"
import "C"

import (
	"context"
	"encoding/json"
	"time"
)

// Starts a call under a tag and gives its handle.
type starter func(
	client *C.qubus_client, tag C.uint64_t, out **C.qubus_call, native *C.qubus_error,
) C.int32_t

// perform starts a call, sleeps until its completion comes or the context ends, and lets `finish`
// take what it gave. The end of the context abandons the call: the server stops working on it.
// `wait` bounds a call whose context has no deadline; forever leaves that to the library.
func perform[T any](
	ctx context.Context, c *Client, what string, wait time.Duration, start starter,
	finish func(call *C.qubus_call, native *C.qubus_error) (T, error),
) (T, error) {
	var none T
	if ctx.Err() != nil {
		return none, contextError(ctx, what)
	}
	call, wake, tag, err := c.begin(start)
	if err != nil {
		return none, err
	}
	defer c.dispatch.forget(tag)
	defer C.qubus_call_free(&call)
	key := func(err error) error {
		if e, ok := err.(*Error); ok {
			e.IdempotencyKey = C.GoString(C.qubus_call_idempotency_key(call))
		}
		return err
	}
	var expired <-chan time.Time
	if _, has := ctx.Deadline(); !has && wait >= 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case <-wake:
	case <-ctx.Done():
		return none, key(contextError(ctx, what))
	case <-expired:
		return none, key(newError(ErrDeadlineExceeded, "%s took longer than %v", what, wait))
	}
	frame := takeFrame()
	defer giveFrame(frame)
	if code := C.qubus_call_wait(call, 0, &frame.error); code != C.QUBUS_OK {
		return none, key(withContext(ctx, failure(code, &frame.error)))
	}
	value, err := finish(call, &frame.error)
	return value, key(err)
}

func (c *Client) begin(start starter) (*C.qubus_call, chan struct{}, uint64, error) {
	native, err := c.native()
	if err != nil {
		return nil, nil, 0, err
	}
	defer c.handle.release()
	tag, wake, err := c.dispatch.register(native)
	if err != nil {
		return nil, nil, 0, err
	}
	frame := takeFrame()
	defer giveFrame(frame)
	var call *C.qubus_call
	if code := start(native, C.uint64_t(tag), &call, &frame.error); code != C.QUBUS_OK {
		c.dispatch.forget(tag)
		return nil, nil, 0, failure(code, &frame.error)
	}
	return call, wake, tag, nil
}

type argument struct{ name, value string }

// request performs a method whose answer is JSON and reads it into `out`.
func (c *Client) request(
	ctx context.Context, what string, method C.int32_t, subject string, arguments []argument, out any,
) error {
	var memory arena
	defer memory.free()
	about, err := memory.text("subject", subject)
	if err != nil {
		return err
	}
	var packed *C.qubus_argument
	if len(arguments) > 0 {
		list, first := makeArray[C.qubus_argument](&memory, len(arguments))
		packed = first
		for i, a := range arguments {
			if list[i].name, err = memory.text("name", a.name); err != nil {
				return err
			}
			if list[i].value, err = memory.textOrEmpty(a.name, a.value); err != nil {
				return err
			}
		}
	}
	timeout := milliseconds(remaining(ctx, c.callTimeout))
	text, err := perform(ctx, c, what, c.callTimeout,
		func(client *C.qubus_client, tag C.uint64_t, out **C.qubus_call, e *C.qubus_error) C.int32_t {
			return C.qubus_call_start(
				client, method, about, packed, C.uint64_t(len(arguments)), timeout, tag, out, e)
		}, takeText)
	if err != nil {
		return err
	}
	return decode(text, out)
}

func takeText(call *C.qubus_call, native *C.qubus_error) ([]byte, error) {
	var text *C.qubus_text
	if code := C.qubus_call_take_text(call, &text, native); code != C.QUBUS_OK {
		return nil, failure(code, native)
	}
	return textBytes(text), nil
}

// textBytes copies a text of the library and frees it.
func textBytes(text *C.qubus_text) []byte {
	defer C.qubus_text_free(&text)
	return []byte(C.GoStringN(C.qubus_text_data(text), C.int(C.qubus_text_bytes(text))))
}

func decode(text []byte, out any) error {
	if err := json.Unmarshal(text, out); err != nil {
		return newError(ErrProtocolError, "the answer cannot be read: %v", err)
	}
	return nil
}
