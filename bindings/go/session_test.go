package qubus_test

import (
	"context"
	"errors"
	"math"
	"math/rand"
	"sync"
	"testing"
	"time"

	"qubus"
)

// The observables of `rotation`: cos θ, and sin θ cos φ.
var rotationObservables = []qubus.Observable{
	{{Pauli: "IZ", Coefficient: 1}},
	{{Pauli: "XX", Coefficient: 1}},
}

func openRotation(t testing.TB, client *qubus.Client, spec qubus.SessionSpec) *qubus.Session {
	t.Helper()
	spec.Program = rotation
	if spec.Observables == nil {
		spec.Observables = rotationObservables
	}
	session := must(client.OpenSession(within(t, 10*time.Second), spec))(t)
	t.Cleanup(func() {
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	})
	return session
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-12 }

func TestASessionTellsWhatItHolds(t *testing.T) {
	client := withSessions(t)
	session := openRotation(t, client, qubus.SessionSpec{Name: "go"})
	names := session.Parameters()
	if len(names) != 2 || names[0] != "theta" || names[1] != "phi" || session.Observables() != 2 ||
		session.Qubits() != 2 || len(session.Secret()) != 32 || session.LastSequence() != 0 ||
		session.Outputs() != qubus.StepValues|qubus.StepGradients {
		t.Fatalf("%v %d %d", names, session.Observables(), session.Qubits())
	}
	ctx := within(t, 10*time.Second)
	must(session.Step(ctx, []float64{0.3, 0.1}))(t)
	info := must(session.Describe(ctx))(t)
	if info.ID != session.ID() || info.State != "open" || info.LastSequence != 1 {
		t.Fatalf("%+v", info)
	}
	found := false
	for _, one := range must(client.Sessions(ctx, false))(t) {
		found = found || one.ID == session.ID()
	}
	if !found {
		t.Fatal("the list of sessions lacks this one")
	}
}

func TestStepsGiveValuesAndGradients(t *testing.T) {
	client := withSessions(t)
	session := openRotation(t, client, qubus.SessionSpec{})
	ctx := within(t, 10*time.Second)
	seed := time.Now().UnixNano()
	random := rand.New(rand.NewSource(seed))
	for i := 1; i <= 20; i++ {
		theta, phi := random.NormFloat64(), random.NormFloat64()
		values, gradients, err := session.StepGradient(ctx, []float64{theta, phi})
		if err != nil {
			t.Fatal(err)
		}
		want := []float64{math.Cos(theta), math.Sin(theta) * math.Cos(phi)}
		slopes := []float64{-math.Sin(theta), 0,
			math.Cos(theta) * math.Cos(phi), -math.Sin(theta) * math.Sin(phi)}
		for k := range want {
			if !near(values[k], want[k]) {
				t.Fatalf("seed %d: values %v, not %v", seed, values, want)
			}
		}
		for k := range slopes {
			if !near(gradients[k], slopes[k]) {
				t.Fatalf("seed %d: gradients %v, not %v", seed, gradients, slopes)
			}
		}
		if session.LastSequence() != uint64(i) {
			t.Fatalf("sequence %d after %d steps", session.LastSequence(), i)
		}
	}
}

func TestABatchEqualsItsSteps(t *testing.T) {
	client := withSessions(t)
	session := openRotation(t, client, qubus.SessionSpec{})
	ctx := within(t, 10*time.Second)
	const rows = 33
	parameters := make([]float64, 2*rows)
	for i := range parameters {
		parameters[i] = float64(i) * 0.17
	}
	values := must(session.Batch(ctx, parameters, rows))(t)
	for row := 0; row < rows; row++ {
		one := must(session.Step(ctx, parameters[2*row:2*row+2]))(t)
		if one[0] != values[2*row] || one[1] != values[2*row+1] {
			t.Fatalf("row %d: %v alone, %v in the batch", row, one, values[2*row:2*row+2])
		}
	}
}

func TestEvaluateWritesInPlaceAndAllocatesNothing(t *testing.T) {
	client := withSessions(t)
	session := openRotation(t, client, qubus.SessionSpec{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	step := &qubus.Step{
		Outputs: qubus.StepValues | qubus.StepGradients, Parameters: []float64{0.2, 0.4},
		Values: make([]float64, 2), Gradients: make([]float64, 4),
		StandardErrors: make([]float64, 2),
	}
	evaluate := func() {
		step.Parameters[0] += 0.001
		if err := session.Evaluate(ctx, step); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < 10; i++ {
		evaluate()
	}
	if allocations := testing.AllocsPerRun(1000, evaluate); allocations > 0 {
		t.Fatalf("%g allocations a step", allocations)
	}
	if !near(step.Values[0], math.Cos(step.Parameters[0])) || step.Sequence < 1000 ||
		step.DeviceTime <= 0 || step.WasRepeated || !math.IsNaN(step.StandardErrors[0]) {
		t.Fatalf("%+v", step)
	}
}

func TestCountsAndStatesOfASession(t *testing.T) {
	client := withSessions(t)
	ctx := within(t, 10*time.Second)
	sampled := must(client.OpenSession(ctx, qubus.SessionSpec{
		Program: "OPENQASM 3;\ninclude \"stdgates.inc\";\ninput float t;\nqubit[2] q;\nbit[2] c;\n" +
			"ry(t) q[0];\ncx q[0], q[1];\nc = measure q;\n",
		Shots: 1000, Seed: qubus.Seed(5)}))(t)
	counts := must(sampled.Counts(ctx, []float64{math.Pi / 2}))(t)
	if counts["00"]+counts["11"] != 1000 || counts["00"] < 350 || counts["00"] > 650 {
		t.Fatalf("counts %v", counts)
	}
	if err := sampled.Close(); err != nil {
		t.Fatal(err)
	}
	exact := openRotation(t, client, qubus.SessionSpec{
		Outputs: qubus.StepValues | qubus.StepStatevector})
	state := must(exact.Statevector(ctx, []float64{math.Pi / 2, 0}))(t)
	if len(state) != 4 || !near(real(state[0]), math.Sqrt2/2) || !near(real(state[3]), math.Sqrt2/2) {
		t.Fatalf("state %v", state)
	}
	both := must(exact.Run(ctx, &qubus.Step{
		Outputs: qubus.StepValues | qubus.StepStatevector, Parameters: []float64{0.1, 0, 0.2, 0},
		Rows: 2}))(t)
	values := must(both.Array(0, "values"))(t)
	if len(values.Float64) != 4 || !near(values.Float64[2], math.Cos(0.2)) {
		t.Fatalf("%+v", values)
	}
}

func TestBadStepsAreRefusedAndTheSessionGoesOn(t *testing.T) {
	client := withSessions(t)
	session := openRotation(t, client, qubus.SessionSpec{})
	ctx := within(t, 10*time.Second)
	for name, numbers := range map[string][]float64{
		"too few": {1}, "too many": {1, 2, 3}, "none": nil,
	} {
		_, err := session.Step(ctx, numbers)
		if !errors.Is(err, qubus.ErrParameterCountMismatch) {
			t.Fatalf("%s: %v", name, err)
		}
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		_, err := session.Step(ctx, []float64{0, bad})
		wantError(t, err, qubus.ErrInvalidParameterValue)
	}
	for _, rows := range []int{0, -1} {
		_, err := session.Batch(ctx, nil, rows)
		wantError(t, err, qubus.ErrInvalidStep)
	}
	_, err := session.Batch(ctx, []float64{1, 2}, math.MaxInt)
	wantError(t, err, qubus.ErrParameterCountMismatch)
	err = session.Evaluate(ctx, &qubus.Step{Parameters: []float64{1, 2}, Values: make([]float64, 1)})
	wantError(t, err, qubus.ErrBufferTooSmall)
	err = session.Evaluate(ctx, &qubus.Step{Outputs: qubus.StepValues | qubus.StepGradients,
		Parameters: []float64{1, 2}, Values: make([]float64, 2)})
	wantError(t, err, qubus.ErrBufferTooSmall, qubus.ErrInvalidArgument)
	_, err = session.Statevector(ctx, []float64{1, 2})
	wantError(t, err, qubus.ErrInvalidStep, qubus.ErrInvalidOutputs)
	if values := must(session.Step(ctx, []float64{0.5, 0}))(t); !near(values[0], math.Cos(0.5)) {
		t.Fatalf("values %v", values)
	}
}

func TestBadSessionsAreRefused(t *testing.T) {
	client := withSessions(t)
	ctx := within(t, 10*time.Second)
	open := func(spec qubus.SessionSpec) error {
		session, err := client.OpenSession(ctx, spec)
		if err == nil {
			_ = session.Close()
		}
		return err
	}
	wide := []qubus.Observable{{{Pauli: "ZZZZ", Coefficient: 1}}}
	wantError(t, open(qubus.SessionSpec{Program: rotation, Observables: wide}),
		qubus.ErrInvalidObservable)
	err := open(qubus.SessionSpec{Program: "OPENQASM 3;\nqubit q;\nry(1) q;\n", Observables: wide})
	wantError(t, err, qubus.ErrUndeclaredIdentifier)
	if asError(t, err).Line != 3 {
		t.Fatalf("%+v", asError(t, err))
	}
	if open(qubus.SessionSpec{Program: rotation, Observables: rotationObservables, Idle: -1}) == nil {
		t.Fatal("a negative idle time was accepted")
	}
	_, err = client.ResumeSession(ctx, "0199a1b2-0000-7000-8000-000000000000", make([]byte, 32), 0)
	wantError(t, err, qubus.ErrSessionNotFound)
	_, err = client.ResumeSession(ctx, "0199a1b2-0000-7000-8000-000000000000", nil, 0)
	wantError(t, err, qubus.ErrInvalidArgument)
}

func TestAStepAfterACloseIsAnError(t *testing.T) {
	client := withSessions(t)
	session := openRotation(t, client, qubus.SessionSpec{})
	ctx := within(t, 10*time.Second)
	for i := 0; i < 2; i++ {
		if err := session.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, err := session.Step(ctx, []float64{1, 2})
	wantError(t, err, qubus.ErrSessionNotFound)
	_, err = session.Run(ctx, &qubus.Step{Parameters: []float64{1, 2}})
	wantError(t, err, qubus.ErrSessionNotFound)
	_, err = session.Optimize(ctx, qubus.OptimizationSpec{Method: "adam", Initial: []float64{1, 2}})
	wantError(t, err, qubus.ErrSessionNotFound)
	wantError(t, session.Detach(), qubus.ErrSessionNotFound)
}

func TestADetachedSessionIsResumedByAnotherClient(t *testing.T) {
	client := withSessions(t)
	session := openRotation(t, client, qubus.SessionSpec{})
	ctx := within(t, 10*time.Second)
	before := must(session.Step(ctx, []float64{0.7, 0.1}))(t)
	id, secret, last := session.ID(), session.Secret(), session.LastSequence()
	if err := session.Detach(); err != nil {
		t.Fatal(err)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	other := withSessions(t)
	wrong := append([]byte(nil), secret...)
	wrong[0] ^= 1
	_, err := other.ResumeSession(ctx, id, wrong, last)
	wantError(t, err, qubus.ErrSessionNotFound)
	resumed := must(other.ResumeSession(ctx, id, secret, last))(t)
	after := must(resumed.Step(ctx, []float64{0.7, 0.1}))(t)
	if after[0] != before[0] || after[1] != before[1] || resumed.LastSequence() != last+1 {
		t.Fatalf("%v before, %v after, sequence %d", before, after, resumed.LastSequence())
	}
	if err := resumed.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTheClientThatLostItsSessionIsTold(t *testing.T) {
	client, other := withSessions(t), withSessions(t)
	session := openRotation(t, client, qubus.SessionSpec{})
	ctx := within(t, 10*time.Second)
	must(session.Step(ctx, []float64{0.1, 0}))(t)
	taken := must(other.ResumeSession(ctx, session.ID(), session.Secret(), session.LastSequence()))(t)
	must(taken.Step(ctx, []float64{0.2, 0}))(t)
	_, err := session.Step(ctx, []float64{0.3, 0})
	wantError(t, err, qubus.ErrSessionHeldElsewhere)
	if values := must(taken.Step(ctx, []float64{0.4, 0}))(t); !near(values[0], math.Cos(0.4)) {
		t.Fatalf("values %v", values)
	}
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestASessionIsSharedByGoroutines(t *testing.T) {
	client := withSessions(t)
	session := openRotation(t, client, qubus.SessionSpec{})
	ctx := within(t, 30*time.Second)
	var group sync.WaitGroup
	for worker := 0; worker < 8; worker++ {
		worker := worker
		group.Add(1)
		go func() {
			defer group.Done()
			for i := 0; i < 50; i++ {
				theta := float64(worker) + float64(i)*0.01
				values, err := session.Step(ctx, []float64{theta, 0})
				if err != nil || !near(values[0], math.Cos(theta)) {
					t.Errorf("worker %d: %v, %v", worker, values, err)
					return
				}
			}
		}()
	}
	group.Wait()
	if session.LastSequence() != 400 {
		t.Fatalf("sequence %d after 400 steps", session.LastSequence())
	}
}

func TestAContextBoundsAStepAndTheStepCanBeTakenUpAgain(t *testing.T) {
	client := withSessions(t)
	session := slowSession(t, client)
	parameters := make([]float64, len(session.Parameters()))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	started := time.Now()
	_, err := session.Batch(ctx, parameters, 1)
	if err == nil {
		t.Skip("the machine answered within 5 ms")
	}
	if took := time.Since(started); took > time.Second {
		t.Fatalf("a deadline of 5 ms took %v", took)
	}
	wantError(t, err, qubus.ErrDeadlineExceeded)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	canceled, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		_, err := session.Run(canceled, &qubus.Step{Parameters: parameters})
		ended <- err
	}()
	stop()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	values := must(session.Step(within(t, 30*time.Second), parameters))(t)
	if !near(values[0], 1) {
		t.Fatalf("values %v", values)
	}
}

// slowSession takes tens of milliseconds a step.
func slowSession(t testing.TB, client *qubus.Client) *qubus.Session {
	source := "OPENQASM 3;\ninclude \"stdgates.inc\";\ninput float a;\nqubit[20] q;\n"
	for layer := 0; layer < 20; layer++ {
		for qubit := 0; qubit < 20; qubit++ {
			digits := string(rune('0'+qubit/10)) + string(rune('0'+qubit%10))
			source += "rx(a) q[" + digits + "];\n"
		}
		source += "cx q[0], q[19];\ncx q[3], q[11];\n"
	}
	session := must(client.OpenSession(within(t, 10*time.Second), qubus.SessionSpec{
		Program: source, Observables: []qubus.Observable{{{Pauli: "ZIIIIIIIIIIIIIIIIIII", Coefficient: 1}}},
	}))(t)
	t.Cleanup(func() { _ = session.Close() })
	return session
}

func TestClosingTheClientEndsItsSessions(t *testing.T) {
	client := withSessions(t)
	session := must(client.OpenSession(within(t, 10*time.Second),
		qubus.SessionSpec{Program: rotation, Observables: rotationObservables}))(t)
	id := session.ID()
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := session.Step(context.Background(), []float64{1, 2})
	wantError(t, err, qubus.ErrClientClosed)
	// The end was sent without waiting for its answer; the context bounds the asking.
	other, ctx := withSessions(t), within(t, 10*time.Second)
	for isOpen := true; isOpen; {
		isOpen = false
		for _, one := range must(other.Sessions(ctx, false))(t) {
			isOpen = isOpen || one.ID == id
		}
	}
}

func TestClosingDuringAStepEndsTheStep(t *testing.T) {
	for name, end := range map[string]func(*qubus.Client, *qubus.Session) error{
		"session": func(_ *qubus.Client, s *qubus.Session) error { return s.Close() },
		"client":  func(c *qubus.Client, _ *qubus.Session) error { return c.Close() },
	} {
		client := withSessions(t)
		session := slowSession(t, client)
		ended := make(chan error)
		ready := make(chan struct{})
		go func() {
			close(ready)
			for {
				if _, err := session.Step(context.Background(), []float64{0}); err != nil {
					ended <- err
					return
				}
			}
		}()
		<-ready
		if err := end(client, session); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		select {
		case err := <-ended:
			wantError(t, err, qubus.ErrSessionNotFound, qubus.ErrClientClosed, qubus.ErrCallCanceled)
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: the step goes on after the close", name)
		}
	}
}

func TestALongStepUnderACancelableContextIsCanceled(t *testing.T) {
	client := withSessions(t)
	session := slowSession(t, client)
	rows := 64 // seconds of work
	step := &qubus.Step{Parameters: make([]float64, rows), Rows: rows, Values: make([]float64, rows)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- session.Evaluate(ctx, step) }()
	timer := time.AfterFunc(500*time.Millisecond, cancel)
	defer timer.Stop()
	select {
	case err := <-ended:
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the step goes on after its context")
	}
	if err := session.Evaluate(within(t, 60*time.Second), step); err != nil {
		t.Fatal(err)
	}
	if !near(step.Values[rows-1], 1) || step.Sequence == 0 || step.DeviceTime <= 0 {
		t.Fatalf("%+v", step)
	}
}
