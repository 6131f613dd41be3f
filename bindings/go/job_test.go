package qubus_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"qubus"
)

func asError(t testing.TB, err error) *qubus.Error {
	t.Helper()
	var e *qubus.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v (%T) is no *qubus.Error", err, err)
	}
	return e
}

// slow is a job that a cancel finds queued or running.
func slow() qubus.JobSpec {
	var source strings.Builder
	source.WriteString("OPENQASM 3;\ninclude \"stdgates.inc\";\nqubit[20] q;\nbit[20] c;\nreset q[0];\n")
	for layer := 0; layer < 40; layer++ {
		for qubit := '0'; qubit < '9'; qubit++ {
			source.WriteString("ry(0.3) q[" + string(qubit) + "];\n")
			source.WriteString("cx q[" + string(qubit) + "], q[1" + string(qubit) + "];\n")
		}
		source.WriteString("c[0] = measure q[0];\n")
	}
	source.WriteString("c = measure q;\n")
	return qubus.Program(source.String(), 1_000_000)
}

func TestBellGivesItsCountsAndProvenance(t *testing.T) {
	client := open(t)
	ctx := within(t, 30*time.Second)
	spec := qubus.Program(bell, 1024)
	spec.Seed, spec.Name, spec.Tags = qubus.Seed(7), "bell", []string{"go"}
	job := must(client.Submit(ctx, spec))(t)
	result := must(job.Result(ctx))(t)
	counts := must(result.Counts())(t)
	if len(counts) != 2 || counts["00"]+counts["11"] != 1024 {
		t.Fatalf("counts %v", counts)
	}
	var provenance struct {
		Seed          uint64 `json:"seed"`
		ClientVersion string `json:"client_version"`
		ExecutionHash string `json:"execution_hash"`
	}
	if err := json.Unmarshal(result.Provenance(), &provenance); err != nil {
		t.Fatal(err)
	}
	if provenance.Seed != 7 || !strings.HasPrefix(provenance.ClientVersion, "qubus-go") ||
		provenance.ExecutionHash != result.ExecutionHash() || len(provenance.ExecutionHash) != 64 {
		t.Fatalf("provenance %+v", provenance)
	}
	info := must(job.Info(ctx))(t)
	if info.ID != job.ID() || info.Status != qubus.StatusSucceeded || info.ShotsDone != 1024 ||
		info.Name != "bell" || len(info.Tags) != 1 {
		t.Fatalf("info %+v", info)
	}
	again := must(client.Job(job.ID()).Result(ctx))(t)
	if again.ExecutionHash() != result.ExecutionHash() {
		t.Fatal("the same job by its id has another hash")
	}
}

func TestWaitTellsTheTerminalStatus(t *testing.T) {
	client := open(t)
	ctx := within(t, 30*time.Second)
	job := must(client.Submit(ctx, qubus.Program(bell, 10)))(t)
	if status := must(job.Wait(ctx))(t); status != qubus.StatusSucceeded || !status.IsTerminal() {
		t.Fatalf("status %s", status)
	}
	if status := must(job.Status(ctx))(t); status != qubus.StatusSucceeded {
		t.Fatalf("status %s", status)
	}
}

func TestAJobStartsAfterOthers(t *testing.T) {
	client := open(t)
	ctx := within(t, 30*time.Second)
	stopped := must(client.Submit(ctx, slow()))(t)
	spec := qubus.Program(bell, 10)
	spec.After = []string{stopped.ID()}
	second := must(client.Submit(ctx, spec))(t)
	spec.AfterOK = []string{second.ID()}
	third := must(client.Submit(ctx, spec))(t)
	spec.After, spec.AfterOK = nil, []string{stopped.ID()}
	never := must(client.Submit(ctx, spec))(t)
	must(stopped.Cancel(ctx, ""))(t)
	if status := must(third.Wait(ctx))(t); status != qubus.StatusSucceeded {
		t.Fatalf("status %s", status)
	}
	_, err := never.Result(ctx)
	wantError(t, err, qubus.ErrDependencyFailed)
	spec.AfterOK = []string{"01890000-0000-7000-8000-000000000000"}
	_, err = client.Submit(ctx, spec)
	wantError(t, err, qubus.ErrJobNotFound)
}

func TestSweepsAndObservablesBroadcast(t *testing.T) {
	client := open(t)
	ctx := within(t, 30*time.Second)
	thetas := []float64{0, math.Pi / 3, math.Pi / 2}
	pub := qubus.Pub{
		Program:     rotation,
		Parameters:  []qubus.Parameter{qubus.Vector("theta", thetas), qubus.Scalar("phi", 0.1)},
		Observables: []qubus.Observable{{{Pauli: "IZ", Coefficient: 1}, {Pauli: "II", Coefficient: 0.5}}},
	}
	job := must(client.Submit(ctx, qubus.JobSpec{Pubs: []qubus.Pub{pub}}))(t)
	values := must(must(job.Result(ctx))(t).ExpectationValues(0))(t)
	estimate := must(client.Estimate(ctx, pub))(t)
	if len(values) != len(thetas) || len(estimate.Shape) != 1 || estimate.Float64[1] != values[1] {
		t.Fatalf("values %v, estimate %+v", values, estimate)
	}
	for i, theta := range thetas {
		if math.Abs(values[i]-math.Cos(theta)-0.5) > 1e-12 {
			t.Fatalf("values %v", values)
		}
	}
}

func TestExactOutputsComeAsArrays(t *testing.T) {
	client := open(t)
	ctx := within(t, 30*time.Second)
	job := must(client.Submit(ctx, qubus.JobSpec{Pubs: []qubus.Pub{{
		Program: bell[:strings.Index(bell, "c = measure")], Outputs: qubus.OutputStatevector,
	}}}))(t)
	result := must(job.Result(ctx))(t)
	state := must(result.Statevector(0))(t)
	if len(state) != 4 || math.Abs(real(state[0])-math.Sqrt2/2) > 1e-12 || state[1] != 0 {
		t.Fatalf("state %v", state)
	}
	_, err := result.Counts()
	wantError(t, err, qubus.ErrUnknownResultItem)
	_, err = result.Array(3, "statevector")
	wantError(t, err, qubus.ErrUnknownResultItem)
}

func TestEventsAreOrderedAndResume(t *testing.T) {
	client := open(t)
	ctx := within(t, 30*time.Second)
	job := must(client.Submit(ctx, qubus.Program(bell, 10)))(t)
	var last qubus.Event
	for _, after := range []uint64{0, 3} {
		events := must(job.Events(ctx, after))(t)
		sequence := after
		for events.Next() {
			last = events.Event()
			sequence++
			if last.Sequence != sequence {
				t.Fatalf("event %d after %d", last.Sequence, sequence-1)
			}
			if time.Since(last.Time) > time.Minute || !json.Valid(last.JSON) {
				t.Fatalf("event %+v", last)
			}
		}
		if events.Err() != nil {
			t.Fatal(events.Err())
		}
		if last.Status != qubus.StatusSucceeded {
			t.Fatalf("the last event is %+v", last)
		}
		if events.Next() {
			t.Fatal("an event after the terminal one")
		}
		if err := events.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCancelStopsAJobAndIsIdempotent(t *testing.T) {
	client := open(t)
	ctx := within(t, 30*time.Second)
	job := must(client.Submit(ctx, slow()))(t)
	answer := must(job.Cancel(ctx, "shown by a test"))(t)
	if answer.Outcome != qubus.CancelBeforeStart && answer.Outcome != qubus.CancelDuringRun {
		t.Fatalf("%+v", answer)
	}
	if status := must(job.Wait(ctx))(t); status != qubus.StatusCanceled {
		t.Fatalf("status %s", status)
	}
	if again := must(job.Cancel(ctx, ""))(t); again.Outcome == "" {
		t.Fatalf("%+v", again)
	}
	result, err := job.Result(ctx)
	if err == nil && !result.IsPartial() {
		t.Fatal("a canceled job gave a whole result")
	}
	if err != nil && !errors.Is(err, qubus.ErrExecutionCanceled) {
		t.Fatal(err)
	}
}

func TestTheSameKeyGivesTheSameJob(t *testing.T) {
	client := open(t)
	ctx := within(t, 30*time.Second)
	spec := qubus.Program(bell, 10)
	spec.IdempotencyKey = "go-" + time.Now().Format(time.RFC3339Nano)
	one := must(client.Submit(ctx, spec))(t)
	two := must(client.Submit(ctx, spec))(t)
	if one.IsDuplicate() || !two.IsDuplicate() || one.ID() != two.ID() ||
		one.IdempotencyKey() != spec.IdempotencyKey {
		t.Fatalf("%+v %+v", one, two)
	}
	spec.Pubs[0].Shots = 11
	_, err := client.Submit(ctx, spec)
	wantError(t, err, qubus.ErrIdempotencyConflict)
	if !errors.Is(err, qubus.ClassConflict) || asError(t, err).IdempotencyKey != spec.IdempotencyKey {
		t.Fatalf("%+v", asError(t, err))
	}
}

func TestPlanTellsWithoutSubmitting(t *testing.T) {
	client := open(t)
	ctx := within(t, 30*time.Second)
	plan := must(client.Plan(ctx, qubus.Program(bell, 1000)))(t)
	if plan.Device != "sim.statevector" || plan.MemoryBytes <= 0 || !json.Valid(plan.JSON) {
		t.Fatalf("%+v", plan)
	}
	_, err := client.Plan(ctx, qubus.Program("OPENQASM 3;\nqubit[60] q;\nbit[60] c;\nc = measure q;\nx r;", 1))
	wantError(t, err, qubus.ErrUndeclaredIdentifier)
}

func TestTheDaemonIsDescribed(t *testing.T) {
	client := open(t)
	ctx := within(t, 30*time.Second)
	if err := client.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	if health := must(client.Health(ctx))(t); health.State != "serving" {
		t.Fatalf("%+v", health)
	}
	if hello := must(client.Hello(ctx))(t); !hello.HasMethod("Submit") || hello.HasMethod("Sumbit") {
		t.Fatalf("%+v", hello)
	}
	if devices := must(client.Devices(ctx))(t); len(devices) == 0 {
		t.Fatal("no devices")
	}
	if client.Endpoint() != endpoint || qubus.Version() == "" {
		t.Fatalf("endpoint %q, version %q", client.Endpoint(), qubus.Version())
	}
}

func TestAClientIsSharedByGoroutines(t *testing.T) {
	client := open(t)
	ctx := within(t, 60*time.Second)
	var group sync.WaitGroup
	hashes := make([]string, 64)
	for i := range hashes {
		i := i
		group.Add(1)
		go func() {
			defer group.Done()
			spec := qubus.Program(bell, 100)
			spec.Seed = qubus.Seed(uint64(i % 8))
			job, err := client.Submit(ctx, spec)
			if err != nil {
				t.Error(err)
				return
			}
			result, err := job.Result(ctx)
			if err != nil {
				t.Error(err)
				return
			}
			hashes[i] = result.ExecutionHash()
		}()
	}
	group.Wait()
	for i := range hashes {
		if hashes[i] == "" || hashes[i] != hashes[i%8] {
			t.Fatalf("job %d of seed %d has the hash %q", i, i%8, hashes[i])
		}
	}
}

func TestAJobOutlivesItsClient(t *testing.T) {
	client := open(t)
	job := must(client.Submit(within(t, 10*time.Second), qubus.Program(bell, 10)))(t)
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := job.Result(context.Background())
	wantError(t, err, qubus.ErrClientClosed)
	again := open(t)
	result := must(again.Job(job.ID()).Result(within(t, 10*time.Second)))(t)
	if counts := must(result.Counts())(t); counts["00"]+counts["11"] != 10 {
		t.Fatalf("counts %v", counts)
	}
}
