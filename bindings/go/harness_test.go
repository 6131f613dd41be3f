package qubus_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"qubus"
)

// Environment: QUBUSD, the daemon (default .build/release/qubusd); QUBUS_REQUIRE_DAEMON, fail
// instead of skipping without it or without its sessions.

const bell = `OPENQASM 3;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
c = measure q;
`

const rotation = `OPENQASM 3;
include "stdgates.inc";
input float theta;
input float phi;
qubit[2] q;
ry(theta) q[0];
cx q[0], q[1];
rz(phi) q[1];
`

// endpoint of the daemon that the tests share; "" without one.
var endpoint, noDaemon string

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	stop, err := startDaemon()
	if err != nil {
		noDaemon = err.Error()
		if os.Getenv("QUBUS_REQUIRE_DAEMON") != "" {
			fmt.Fprintln(os.Stderr, noDaemon)
			return 1
		}
		return m.Run()
	}
	code := m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "the daemon did not stop cleanly:", err)
		return 1
	}
	return code
}

// startDaemon starts a daemon on a Unix socket in a folder of its own and waits until it is ready.
func startDaemon() (func() error, error) {
	binary := os.Getenv("QUBUSD")
	if binary == "" {
		binary = filepath.Join("..", "..", ".build", "release", "qubusd")
	}
	binary, err := filepath.Abs(binary)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(binary); err != nil {
		return nil, fmt.Errorf("no daemon at %s: build it with scripts/build, or set QUBUSD", binary)
	}
	folder, err := os.MkdirTemp("", "qubus-go-")
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(folder, "log"))
	if err != nil {
		return nil, err
	}
	command := exec.Command(binary, "--data-dir", filepath.Join(folder, "data"))
	command.Stderr = log
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	line, _ := bufio.NewReader(output).ReadString('\n')
	var ready struct{ Endpoints []string }
	if json.Unmarshal([]byte(line), &ready) != nil || len(ready.Endpoints) == 0 {
		_ = command.Wait()
		text, _ := os.ReadFile(log.Name())
		return nil, fmt.Errorf("qubusd did not start: %s", text)
	}
	endpoint = ready.Endpoints[0]
	return func() error {
		if err := command.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		if err := command.Wait(); err != nil {
			text, _ := os.ReadFile(log.Name())
			return fmt.Errorf("%w\n%s", err, text)
		}
		return os.RemoveAll(folder)
	}, nil
}

// within is a context that ends with the test or after a time in which everything should be over.
func within(t testing.TB, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

func open(t testing.TB) *qubus.Client {
	t.Helper()
	if endpoint == "" {
		t.Skip(noDaemon)
	}
	client, err := qubus.Open(within(t, 10*time.Second), qubus.Options{Endpoint: endpoint})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

// withSessions skips, with the reason, when the daemon has no sessions yet.
func withSessions(t testing.TB) *qubus.Client {
	t.Helper()
	client := open(t)
	hello, err := client.Hello(within(t, 10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if !hello.HasMethod("OpenSession") {
		reason := "the daemon's HELLO names no method OpenSession: it was built before sessions"
		if os.Getenv("QUBUS_REQUIRE_DAEMON") != "" {
			t.Fatal(reason)
		}
		t.Skip(reason)
	}
	return client
}

func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// wantError checks the code of an error.
func wantError(t testing.TB, err error, codes ...qubus.Code) {
	t.Helper()
	for _, code := range codes {
		if code.Name() == "unknown" {
			t.Fatalf("code %d has no name", int32(code))
		}
	}
	e := asError(t, err)
	for _, code := range codes {
		if e.Code == code {
			return
		}
	}
	t.Fatalf("the error is %v, not one of %v", err, codes)
}
