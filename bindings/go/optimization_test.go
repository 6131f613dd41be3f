package qubus_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"qubus"
)

func adam(iterations int64) qubus.OptimizationSpec {
	return qubus.OptimizationSpec{
		Method: "adam", Initial: []float64{0.3, 0.1}, MaxIterations: iterations,
		Options: map[string]float64{"learning_rate": 0.1},
	}
}

func TestAnOptimizationStreamsItsIterationsAndEnds(t *testing.T) {
	client := withSessions(t)
	session := openRotation(t, client, qubus.SessionSpec{})
	ctx := within(t, 30*time.Second)
	optimization := must(session.Optimize(ctx, adam(200)))(t)
	defer optimization.Close()
	var last qubus.Iteration
	for optimization.Next() {
		one := optimization.Iteration()
		if one.Number != last.Number+1 || len(one.Parameters) != 2 {
			t.Fatalf("%+v after %+v", one, last)
		}
		last = one
	}
	if optimization.Err() != nil {
		t.Fatal(optimization.Err())
	}
	if optimization.ID() == "" {
		t.Fatal("an optimization without an id")
	}
	optimum := must(optimization.Result(ctx))(t)
	if math.Abs(optimum.BestValue+1) > 1e-3 || optimum.Iterations != last.Number ||
		len(optimum.Best) != 2 || optimum.Ending == "" || optimum.Evaluations == 0 {
		t.Fatalf("%+v", optimum)
	}
	again := must(session.AttachOptimization(ctx, optimization.ID(), 0))(t)
	defer again.Close()
	if same := must(again.Result(ctx))(t); same.BestValue != optimum.BestValue {
		t.Fatalf("%+v and %+v", same, optimum)
	}
}

func TestAnOptimizationIsCanceled(t *testing.T) {
	client := withSessions(t)
	session := openRotation(t, client, qubus.SessionSpec{})
	ctx := within(t, 30*time.Second)
	spec := qubus.OptimizationSpec{
		Method: "spsa", Initial: []float64{0.3, 0.1}, MaxIterations: 100_000_000,
		MaxTime: 20 * time.Second, Seed: qubus.Seed(3)}
	optimization := must(session.Optimize(ctx, spec))(t)
	defer optimization.Close()
	if !optimization.Next() {
		t.Fatal(optimization.Err())
	}
	if !must(optimization.Cancel(ctx))(t) {
		t.Fatal("it was not running")
	}
	optimum := must(optimization.Result(ctx))(t)
	if optimum.Ending != "canceled" || optimum.Iterations == 0 {
		t.Fatalf("%+v", optimum)
	}
	for must(optimization.Cancel(ctx))(t) { // the server tells its end, then forgets the run
	}
}

func TestAContextEndsTheWatchingOnly(t *testing.T) {
	client := withSessions(t)
	session := openRotation(t, client, qubus.SessionSpec{})
	ctx, cancel := context.WithCancel(context.Background())
	spec := qubus.OptimizationSpec{
		Method: "spsa", Initial: []float64{0.3, 0.1}, MaxIterations: 100_000_000,
		MaxTime: 20 * time.Second, Seed: qubus.Seed(3)}
	optimization := must(session.Optimize(ctx, spec))(t)
	defer optimization.Close()
	if !optimization.Next() {
		t.Fatal(optimization.Err())
	}
	cancel()
	for optimization.Next() {
	}
	if !errors.Is(optimization.Err(), context.Canceled) {
		t.Fatal(optimization.Err())
	}
	short, stop := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer stop()
	_, err := optimization.Result(short)
	wantError(t, err, qubus.ErrDeadlineExceeded)
	if !must(optimization.Cancel(within(t, 10*time.Second)))(t) {
		t.Fatal("it was not running")
	}
}

func TestBadOptimizationsAreRefused(t *testing.T) {
	client := withSessions(t)
	session := openRotation(t, client, qubus.SessionSpec{})
	ctx := within(t, 10*time.Second)
	run := func(change func(*qubus.OptimizationSpec)) error {
		spec := adam(10)
		change(&spec)
		optimization, err := session.Optimize(ctx, spec)
		if err != nil {
			return err
		}
		defer optimization.Close()
		_, err = optimization.Result(ctx)
		return err
	}
	wantError(t, run(func(s *qubus.OptimizationSpec) { s.Method = "magic" }), qubus.ErrInvalidOptimizer)
	wantError(t, run(func(s *qubus.OptimizationSpec) { s.Options = map[string]float64{"magic": 1} }),
		qubus.ErrInvalidOptimizer)
	wantError(t, run(func(s *qubus.OptimizationSpec) { s.Initial = []float64{1} }),
		qubus.ErrParameterCountMismatch)
	wantError(t, run(func(s *qubus.OptimizationSpec) { s.Lower = []float64{-1, -1} }),
		qubus.ErrParameterCountMismatch)
	wantError(t, run(func(s *qubus.OptimizationSpec) { s.Observable = 2 }), qubus.ErrInvalidOptimizer)
	wantError(t, run(func(s *qubus.OptimizationSpec) { s.Initial[0] = math.NaN() }),
		qubus.ErrInvalidParameterValue, qubus.ErrInvalidOptimizer)
}
