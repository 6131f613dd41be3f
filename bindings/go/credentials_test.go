package qubus_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"qubus"
)

// refusedOptions gives the error of options that are refused before anything is sent.
func refusedOptions(t *testing.T, options qubus.Options) *qubus.Error {
	t.Helper()
	client, err := qubus.Open(within(t, 10*time.Second), options)
	if err == nil {
		_ = client.Close()
	}
	return asError(t, err)
}

func TestAMadeKeyIsReadBackAndNeverOverwritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "client.key")
	key, err := qubus.GenerateKey(path)
	if err != nil || len(key) != 40 {
		t.Fatal(key, err)
	}
	if told, err := os.Stat(path); err != nil || told.Mode().Perm() != 0o600 {
		t.Fatal(told, err)
	}
	_, err = qubus.GenerateKey(path)
	wantError(t, err, qubus.ErrInvalidArgument)
	// The file is right and arrives; its public half is not the server's key.
	e := refusedOptions(t, qubus.Options{Endpoint: "curve://127.0.0.1:9",
		Credentials: qubus.Credentials{ServerKey: key, KeyFile: path}})
	if e.Code != qubus.ErrInvalidKey || !strings.Contains(e.Message, "own public key") {
		t.Fatal(e)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	other := strings.Repeat("0", 40)
	e = refusedOptions(t, qubus.Options{Endpoint: "curve://127.0.0.1:9",
		Credentials: qubus.Credentials{ServerKey: other, KeyFile: path}})
	if e.Code != qubus.ErrInvalidKey || !strings.Contains(e.Message, path) ||
		!strings.Contains(e.Message, "0644") {
		t.Fatal(e)
	}
}

func TestCredentialsAreNeverTold(t *testing.T) {
	const secret = "not.a.key"
	given := qubus.Credentials{ServerKey: strings.Repeat("0", 40), SecretKey: secret}
	e := refusedOptions(t, qubus.Options{Endpoint: "curve://127.0.0.1:9", Credentials: given})
	if e.Code != qubus.ErrInvalidKey || strings.Contains(e.Error(), secret) {
		t.Fatal(e)
	}
	bad := qubus.Credentials{Token: "line\nend"}
	e = refusedOptions(t, qubus.Options{Endpoint: "ipc:///nonexistent", Credentials: bad})
	if e.Code != qubus.ErrInvalidArgument || strings.Contains(e.Error(), bad.Token) {
		t.Fatal(e)
	}
	options := qubus.Options{Credentials: qubus.Credentials{SecretKey: secret, Token: secret}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if shown := fmt.Sprintf(verb, options); strings.Contains(shown, secret) {
			t.Fatal(verb, shown)
		}
	}
}

func TestACallByNameTakesAndGivesJSON(t *testing.T) {
	client := open(t)
	ctx := within(t, 20*time.Second)
	job, err := client.Submit(ctx, qubus.Program(bell, 10))
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Job struct {
			ID string `json:"job_id"`
		} `json:"job"`
	}
	if err := client.Call(ctx, "GetJob", map[string]any{"job_id": job.ID()}, &answer); err != nil {
		t.Fatal(err)
	}
	if answer.Job.ID != job.ID() {
		t.Fatalf("%+v", answer)
	}
	if err := client.Call(ctx, "Health", nil, nil); err != nil {
		t.Fatal(err)
	}
	err = client.Call(ctx, "GetJob", map[string]any{"id": job.ID()}, nil)
	wantError(t, err, qubus.ErrInvalidArgument)
	if !strings.Contains(err.Error(), `no field "id"`) {
		t.Fatal(err)
	}
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	if err := client.Call(canceled, "Health", nil, nil); err == nil {
		t.Fatal("a call under a context that has ended")
	}
}
