package qubus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"qubus"
)

func TestABadProgramNamesItsLineAndColumn(t *testing.T) {
	client := open(t)
	source := "OPENQASM 3;\ninclude \"stdgates.inc\";\nqubit[2] q;\ncx q[0], w[1];\n"
	_, err := client.Submit(within(t, 10*time.Second), qubus.Program(source, 10))
	e := asError(t, err)
	if e.Code != qubus.ErrUndeclaredIdentifier || e.Name != "undeclared_identifier" ||
		e.Class != qubus.ClassValidation || e.Retryable || e.Line != 4 || e.Column != 10 ||
		e.Text != "w" || !strings.Contains(e.Excerpt, "cx q[0], w[1];") || e.Action == "" ||
		e.TraceID == "" || e.IdempotencyKey == "" {
		t.Fatalf("%+v", e)
	}
	if !strings.Contains(err.Error(), "undeclared_identifier (1025)") {
		t.Fatal(err)
	}
}

func TestErrorsAreComparedByCodeAndClassThroughWrapping(t *testing.T) {
	client := open(t)
	_, err := client.Submit(within(t, 10*time.Second), qubus.Program(bell, -5))
	wrapped := fmt.Errorf("while sweeping: %w", err)
	if !errors.Is(wrapped, qubus.ErrInvalidShots) || !errors.Is(wrapped, qubus.ClassValidation) {
		t.Fatal(wrapped)
	}
	if errors.Is(wrapped, qubus.ErrInvalidSeed) || errors.Is(wrapped, qubus.ClassQuota) ||
		errors.Is(wrapped, context.Canceled) || errors.Is(wrapped, context.DeadlineExceeded) {
		t.Fatalf("%v is too many things", wrapped)
	}
	e := asError(t, wrapped)
	if len(e.Violations) == 0 || e.Violations[0].Field == "" {
		t.Fatalf("no violation names the field: %+v", e)
	}
}

func TestTheGeneratedTableAgreesWithTheLibrary(t *testing.T) {
	for code, name := range map[qubus.Code]string{
		qubus.ErrInvalidRequest: "invalid_request", qubus.ErrStepOutOfOrder: "step_out_of_order",
		qubus.ErrSessionHeldElsewhere: "session_held_elsewhere", qubus.ErrEndOfStream: "end_of_stream",
	} {
		if code.Name() != name {
			t.Errorf("%d is %s in the library, %s here", int32(code), code.Name(), name)
		}
	}
	if qubus.Code(1999).Class() != qubus.ClassValidation || qubus.Code(9001).Class() != qubus.ClassClient {
		t.Error("a later code takes its class from its range")
	}
}

func TestWhatIsRefusedBeforeItIsSent(t *testing.T) {
	client := open(t)
	ctx := within(t, 10*time.Second)
	spec := qubus.Program(bell, 10)
	spec.Name = "a\x00b"
	_, err := client.Submit(ctx, spec)
	wantError(t, err, qubus.ErrNulInString)
	if v := asError(t, err).Violations; len(v) != 1 || v[0].Field != "name" {
		t.Fatalf("violations %v", v)
	}
	short := qubus.Parameter{Name: "theta", Shape: []int{3}, Values: []float64{1}}
	_, err = client.Submit(ctx, qubus.JobSpec{Pubs: []qubus.Pub{{
		Program: rotation, Parameters: []qubus.Parameter{short}, Shots: 1}}})
	wantError(t, err, qubus.ErrInvalidParameterShape)
	_, err = client.Submit(ctx, qubus.JobSpec{Pubs: []qubus.Pub{{
		Program: rotation, Observables: []qubus.Observable{{{Pauli: "ZZ", Coefficient: 1}}},
		ObservablesShape: []int{2, -1}}}})
	wantError(t, err, qubus.ErrInvalidObservable)
}

func TestWhatTheServerRefuses(t *testing.T) {
	client := open(t)
	ctx := within(t, 10*time.Second)
	spec := qubus.JobSpec{Pubs: []qubus.Pub{{Program: bell, Shots: 1 << 40}}}
	_, err := client.Submit(ctx, spec)
	wantError(t, err, qubus.ErrInvalidShots)
	_, err = client.Submit(ctx, qubus.JobSpec{})
	wantError(t, err, qubus.ErrMissingField, qubus.ErrInvalidRequest, qubus.ErrInvalidArgument)
	_, err = client.Submit(ctx, qubus.JobSpec{Pubs: []qubus.Pub{{Program: rotation, Shots: 1}}})
	wantError(t, err, qubus.ErrParameterCountMismatch, qubus.ErrMissingField, qubus.ErrInvalidRequest)
	_, err = client.Job("0199a1b2-0000-7000-8000-000000000000").Info(ctx)
	wantError(t, err, qubus.ErrJobNotFound)
	_, err = client.Job("not an id").Result(ctx)
	wantError(t, err, qubus.ErrInvalidIdentifier, qubus.ErrInvalidArgument)
	events, err := client.Job("0199a1b2-0000-7000-8000-000000000000").Events(ctx, 0)
	if err == nil {
		if events.Next() {
			t.Fatal("an event of no job")
		}
		err = events.Err()
	}
	wantError(t, err, qubus.ErrJobNotFound)
}

func TestAContextThatEndsEndsTheCallAndNotTheJob(t *testing.T) {
	client := open(t)
	job := must(client.Submit(within(t, 10*time.Second), slow()))(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		_, err := job.Result(ctx)
		ended <- err
	}()
	cancel()
	err := <-ended
	wantError(t, err, qubus.ErrCallCanceled)
	if !errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	short, release := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer release()
	started := time.Now()
	_, err = job.Wait(short)
	if took := time.Since(started); took > time.Second {
		t.Fatalf("a deadline of 30 ms took %v", took)
	}
	wantError(t, err, qubus.ErrDeadlineExceeded)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if status := must(job.Status(within(t, 10*time.Second)))(t); status.IsTerminal() {
		t.Fatalf("the job is %s", status)
	}
	must(job.Cancel(within(t, 10*time.Second), ""))(t)
}

func TestAContextEndsAnIterationOverEvents(t *testing.T) {
	client := open(t)
	job := must(client.Submit(within(t, 10*time.Second), slow()))(t)
	ctx, cancel := context.WithCancel(context.Background())
	events := must(job.Events(ctx, 0))(t)
	if !events.Next() {
		t.Fatal(events.Err())
	}
	cancel()
	for events.Next() {
	}
	if !errors.Is(events.Err(), context.Canceled) || !errors.Is(events.Err(), qubus.ErrCallCanceled) {
		t.Fatal(events.Err())
	}
	must(job.Cancel(within(t, 10*time.Second), ""))(t)
}

func TestAContextThatHasEndedStartsNothing(t *testing.T) {
	client := open(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := client.Submit(ctx, qubus.Program(bell, 1))
	wantError(t, err, qubus.ErrCallCanceled)
	wantError(t, client.Ping(ctx), qubus.ErrCallCanceled)
	_, err = qubus.Open(ctx, qubus.Options{Endpoint: endpoint})
	wantError(t, err, qubus.ErrCallCanceled)
}

func TestOpenFailsInTimeWithoutADaemon(t *testing.T) {
	nobody := "ipc://" + t.TempDir() + "/nobody.sock"
	started := time.Now()
	_, err := qubus.Open(context.Background(),
		qubus.Options{Endpoint: nobody, ConnectTimeout: 100 * time.Millisecond})
	e := asError(t, err)
	if e.Code != qubus.ErrConnectionFailed && e.Code != qubus.ErrDeadlineExceeded || !e.Retryable {
		t.Fatalf("%+v", e)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err = qubus.Open(ctx, qubus.Options{Endpoint: nobody})
	if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, qubus.ErrConnectionFailed) {
		t.Fatal(err)
	}
	if took := time.Since(started); took > 2*time.Second {
		t.Fatalf("both took %v", took)
	}
	_, err = qubus.Open(context.Background(), qubus.Options{Endpoint: "http://127.0.0.1"})
	wantError(t, err, qubus.ErrInvalidArgument, qubus.ErrConnectionFailed)
}

func TestUseAfterCloseIsAnError(t *testing.T) {
	client := open(t)
	ctx := within(t, 10*time.Second)
	job := must(client.Submit(ctx, slow()))(t)
	events := must(job.Events(ctx, 0))(t)
	waiting := make(chan error)
	go func() {
		_, err := job.Result(context.Background())
		waiting <- err
	}()
	if !events.Next() {
		t.Fatal(events.Err())
	}
	must(job.Cancel(ctx, ""))(t)
	<-waiting
	job = must(client.Submit(ctx, slow()))(t)
	go func() {
		_, err := job.Result(context.Background())
		waiting <- err
	}()
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-waiting; !errors.Is(err, qubus.ErrClientClosed) {
		t.Fatalf("a wait ended with %v", err)
	}
	for events.Next() { // what had come before is still told, or not; it ends
	}
	if err := events.Close(); err != nil {
		t.Fatal(err)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := client.Submit(ctx, qubus.Program(bell, 1))
	wantError(t, err, qubus.ErrClientClosed)
	_, err = job.Events(ctx, 0)
	wantError(t, err, qubus.ErrClientClosed)
	_, err = client.OpenSession(ctx, qubus.SessionSpec{Program: rotation})
	wantError(t, err, qubus.ErrClientClosed)
	wantError(t, client.Ping(ctx), qubus.ErrClientClosed)
	must(open(t).Job(job.ID()).Cancel(ctx, ""))(t)
}
