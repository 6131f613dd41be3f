package qubus

// #cgo pkg-config: qubus
// #include "shim.h"
import "C"

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"time"
	"unsafe"
)

// Options of a client; the zero value is what most programs want.
type Options struct {
	// Endpoint is ipc:///path, tcp://127.0.0.1:port or curve://host:port; "": QUBUS_ENDPOINT, then
	// the default sockets.
	Endpoint string
	// Name is shown in the provenance of results; "": "qubus-go".
	Name string
	// ConnectTimeout bounds Open; 0: 5 s.
	ConnectTimeout time.Duration
	// CallTimeout bounds calls whose context has no deadline, except those that wait for a job, an
	// event or an optimization; 0: 30 s.
	CallTimeout time.Duration
	// Credentials are for curve://host:port, and a token for all endpoints.
	Credentials Credentials
}

// Client is a connection to one daemon. It may be shared by goroutines.
type Client struct {
	handle      handle
	dispatch    dispatcher
	children    children
	callTimeout time.Duration
	endpoint    string
	isClosed    atomic.Bool
}

// Open connects and shakes hands.
//
// Errors: ErrConnectionFailed, ErrUnauthenticated, ErrInvalidKey, ErrUnsupportedProtocolVersion,
// ErrAbiMismatch, ErrInvalidArgument.
func Open(ctx context.Context, options Options) (*Client, error) {
	if options.CallTimeout <= 0 {
		options.CallTimeout = 30 * time.Second
	}
	if options.ConnectTimeout <= 0 {
		options.ConnectTimeout = 5 * time.Second
	}
	if options.Name == "" {
		options.Name = "qubus-go"
	}
	native, err := interruptibly(ctx, "open", options.ConnectTimeout,
		func(timeout C.int64_t) (*C.qubus_client, error) {
			if limit := milliseconds(options.ConnectTimeout); limit < timeout {
				timeout = limit
			}
			return openNative(options, timeout)
		},
		func(late *C.qubus_client) { C.qubus_client_free(&late) })
	if err != nil {
		return nil, err
	}
	c := &Client{callTimeout: options.CallTimeout}
	c.endpoint = C.GoString(C.qubus_client_endpoint(native))
	c.handle.pointer = unsafe.Pointer(native)
	return c, nil
}

func openNative(options Options, timeout C.int64_t) (*C.qubus_client, error) {
	var memory arena
	defer memory.free()
	native := (*C.qubus_client_options)(memory.make(C.sizeof_qubus_client_options))
	*native = C.qubus_go_client_options()
	var err error
	if native.endpoint, err = memory.text("endpoint", options.Endpoint); err != nil {
		return nil, err
	}
	if native.client_name, err = memory.text("name", options.Name); err != nil {
		return nil, err
	}
	if err = options.Credentials.fill(native, &memory); err != nil {
		return nil, err
	}
	native.connect_timeout_milliseconds = timeout
	native.call_timeout_milliseconds = milliseconds(options.CallTimeout)
	frame := takeFrame()
	defer giveFrame(frame)
	var client *C.qubus_client
	code := C.qubus_client_open(native, &client, &frame.error)
	return client, failure(code, &frame.error)
}

// Endpoint is the one that the client is connected to.
func (c *Client) Endpoint() string { return c.endpoint }

// Close ends open calls with ErrClientClosed and closes what was opened from the client: event
// streams, optimizations (which go on at the server) and sessions (which end there unless they were
// detached). Jobs go on. It may be called twice.
func (c *Client) Close() error {
	if c.isClosed.Swap(true) {
		return nil
	}
	native := (*C.qubus_client)(c.handle.acquire())
	C.qubus_client_close(native)
	c.handle.release()
	c.dispatch.stop()
	for _, one := range c.children.snapshot() {
		one.abandon()
	}
	native = (*C.qubus_client)(c.handle.take())
	C.qubus_client_free(&native)
	return nil
}

// native gives the client's pointer for one call; release the handle afterwards when err is nil.
func (c *Client) native() (*C.qubus_client, error) {
	native := (*C.qubus_client)(c.handle.acquire())
	if native == nil || c.isClosed.Load() {
		c.handle.release()
		return nil, closedError("client")
	}
	return native, nil
}

// Ping makes a round trip to the daemon.
func (c *Client) Ping(ctx context.Context) error {
	_, err := interruptibly(ctx, "ping", c.callTimeout, func(timeout C.int64_t) (struct{}, error) {
		native, err := c.native()
		if err != nil {
			return struct{}{}, err
		}
		defer c.handle.release()
		frame := takeFrame()
		defer giveFrame(frame)
		code := C.qubus_client_ping(native, timeout, &frame.error)
		return struct{}{}, failure(code, &frame.error)
	}, nil)
	return err
}

// Hello is what the daemon told about itself and the caller when the connection was made.
type Hello struct {
	ProtocolVersion  int      `json:"protocol_version"`
	ServerVersion    string   `json:"server_version"`
	ServerInstanceID string   `json:"server_instance_id"`
	Features         []string `json:"features"`
	Methods          []string `json:"methods"`
	Principal        string   `json:"principal"`
	Tenant           string   `json:"tenant"`
	Project          string   `json:"project"`
}

// HasMethod tells whether the daemon answers a method, for example "OpenSession".
func (h Hello) HasMethod(name string) bool {
	for _, method := range h.Methods {
		if method == name {
			return true
		}
	}
	return false
}

// Hello asks for versions, methods, limits and the caller's principal.
func (c *Client) Hello(ctx context.Context) (Hello, error) {
	var hello Hello
	err := c.request(ctx, "hello", C.QUBUS_METHOD_HELLO, "", nil, &hello)
	return hello, err
}

// Health is the daemon's state.
type Health struct {
	State              string `json:"state"` // "serving"
	UptimeMicroseconds int64  `json:"uptime_microseconds"`
	JobsQueued         int    `json:"jobs_queued"`
	JobsRunning        int    `json:"jobs_running"`
	Detail             string `json:"detail"`
}

func (c *Client) Health(ctx context.Context) (Health, error) {
	var health Health
	err := c.request(ctx, "health", C.QUBUS_METHOD_HEALTH, "", nil, &health)
	return health, err
}

// Devices tells what the daemon executes on, each as the JSON of message Device.
func (c *Client) Devices(ctx context.Context) ([]json.RawMessage, error) {
	var answer struct {
		Devices []json.RawMessage `json:"devices"`
	}
	err := c.request(ctx, "devices", C.QUBUS_METHOD_LIST_DEVICES, "", nil, &answer)
	return answer.Devices, err
}

// Version is the version of the loaded library, for example "0.1.0".
func Version() string { return C.GoString(C.qubus_version()) }
