package qubus

// #include "shim.h"
import "C"

import (
	"context"
	"encoding/json"
	"strings"
	"unsafe"
)

// Credentials are what a client shows to an encrypted endpoint and with its calls. What is "" comes
// from the environment: QUBUS_SERVER_KEY, QUBUS_KEY_FILE, QUBUS_TOKEN.
type Credentials struct {
	// ServerKey is the server's public key: 40 Z85 characters, or the path of a file with them.
	ServerKey string
	// KeyFile is the path of this client's key pair, as GenerateKey writes it.
	KeyFile string
	// SecretKey stands in place of KeyFile: the secret key's 40 Z85 characters.
	SecretKey string
	// Token is the bearer token that goes with every call.
	Token string
}

// String names those that are given, never what they are.
func (c Credentials) String() string {
	var given []string
	for _, one := range []struct{ name, value string }{
		{"ServerKey", c.ServerKey}, {"KeyFile", c.KeyFile}, {"SecretKey", c.SecretKey},
		{"Token", c.Token},
	} {
		if one.value != "" {
			given = append(given, one.name)
		}
	}
	return "{" + strings.Join(given, " ") + "}"
}

// GoString is String, so that %#v shows no secret either.
func (c Credentials) GoString() string { return "qubus.Credentials" + c.String() }

func (c Credentials) fill(native *C.qubus_client_options, memory *arena) (err error) {
	if native.server_key, err = memory.text("server_key", c.ServerKey); err != nil {
		return err
	}
	if native.key_file, err = memory.text("key_file", c.KeyFile); err != nil {
		return err
	}
	if native.secret_key, err = memory.secret("secret_key", c.SecretKey); err != nil {
		return err
	}
	native.token, err = memory.secret("token", c.Token)
	return err
}

// secret copies a text that is wiped before its memory is given back.
func (a *arena) secret(field, value string) (*C.char, error) {
	text, err := a.text(field, value)
	if text != nil {
		a.secrets = append(a.secrets, unsafe.Slice((*byte)(unsafe.Pointer(text)), len(value)))
	}
	return text, err
}

// GenerateKey makes a key pair, writes it to a new file that only its owner may read, and gives the
// public key, for whoever adds it to the server.
//
// Errors: ErrInvalidArgument when the file exists or cannot be written.
func GenerateKey(path string) (string, error) {
	var memory arena
	defer memory.free()
	file, err := memory.textOrEmpty("path", path)
	if err != nil {
		return "", err
	}
	key := (*C.char)(memory.make(C.QUBUS_KEY_CAPACITY))
	frame := takeFrame()
	defer giveFrame(frame)
	code := C.qubus_key_generate(file, key, &frame.error)
	return C.GoString(key), failure(code, &frame.error)
}

// SetToken replaces the token of the calls to come; "": they go without one.
func (c *Client) SetToken(token string) error {
	var memory arena
	defer memory.free()
	text, err := memory.secret("token", token)
	if err != nil {
		return err
	}
	native, err := c.native()
	if err != nil {
		return err
	}
	defer c.handle.release()
	frame := takeFrame()
	defer giveFrame(frame)
	code := C.qubus_client_set_token(native, text, &frame.error)
	return failure(code, &frame.error)
}

// Call performs any method of proto/ that sends one message and gets one, for example
// "CreateTenant". The request is written as JSON and the answer read from it, with the names of
// proto/: structs with tags, or map[string]any. nil for `request`: no fields; nil for `answer`: it is
// dropped.
//
// Errors: ErrInvalidArgument naming the field, before anything is sent; else the server's.
func (c *Client) Call(ctx context.Context, method string, request, answer any) error {
	body := []byte("{}")
	if request != nil {
		var err error
		if body, err = json.Marshal(request); err != nil {
			return newError(ErrInvalidArgument, "%s: the request is no JSON: %v", method, err)
		}
	}
	var memory arena
	defer memory.free()
	name, err := memory.textOrEmpty("method", method)
	if err != nil {
		return err
	}
	text, err := memory.textOrEmpty("request", string(body))
	if err != nil {
		return err
	}
	timeout := milliseconds(remaining(ctx, c.callTimeout))
	told, err := perform(ctx, c, method, c.callTimeout,
		func(client *C.qubus_client, tag C.uint64_t, out **C.qubus_call, e *C.qubus_error) C.int32_t {
			return C.qubus_call_json_start(client, name, text, timeout, tag, out, e)
		}, takeText)
	if err != nil || answer == nil {
		return err
	}
	return decode(told, answer)
}
