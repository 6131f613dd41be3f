// Times steps of a session from Go: one JSON line, microseconds.
// usage: loop ENDPOINT CASE energy|gradient SECONDS     (CASE: a folder, see case.py)
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	"qubus"
)

const most = 4000

type figures struct {
	P50      float64   `json:"p50_us"`
	P99      float64   `json:"p99_us"`
	Minimum  float64   `json:"minimum_us"`
	Count    int       `json:"count"`
	Value    float64   `json:"value"`
	Gradient []float64 `json:"gradient"`
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("loop: ")
	if len(os.Args) != 5 {
		os.Exit(64)
	}
	seconds, err := strconv.ParseFloat(os.Args[4], 64)
	if err == nil {
		limit := time.Duration(seconds * float64(time.Second))
		err = run(os.Args[1], os.Args[2], os.Args[3] == "gradient", limit)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func run(endpoint, folder string, hasGradient bool, limit time.Duration) error {
	program, err := os.ReadFile(filepath.Join(folder, "program.qasm"))
	if err != nil {
		return err
	}
	observable, err := readObservable(filepath.Join(folder, "observable.txt"))
	if err != nil {
		return err
	}
	numbers, err := readNumbers(filepath.Join(folder, "parameters.f64"))
	if err != nil {
		return err
	}
	ctx := context.Background()
	client, err := qubus.Open(ctx, qubus.Options{Endpoint: endpoint})
	if err != nil {
		return err
	}
	defer client.Close()
	session, err := client.OpenSession(ctx, qubus.SessionSpec{
		Program: string(program), Observables: []qubus.Observable{observable}})
	if err != nil {
		return err
	}
	defer session.Close()
	told, err := measure(ctx, session, numbers, hasGradient, limit)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(told)
}

func measure(
	ctx context.Context, session *qubus.Session, numbers []float64, hasGradient bool,
	limit time.Duration,
) (figures, error) {
	count := len(session.Parameters())
	rows := len(numbers) / count
	step := &qubus.Step{Outputs: qubus.StepValues, Values: make([]float64, 1)}
	if hasGradient {
		step.Outputs |= qubus.StepGradients
		step.Gradients = make([]float64, count)
	}
	evaluate := func(number int) error {
		row := number % rows
		step.Parameters = numbers[row*count : (row+1)*count]
		return session.Evaluate(ctx, step)
	}
	var told figures
	for i := 0; i < 3; i++ {
		if err := evaluate(i); err != nil {
			return told, err
		}
		if i == 0 {
			told.Value, told.Gradient = step.Values[0], append([]float64(nil), step.Gradients...)
		}
	}
	samples := make([]float64, 0, most)
	began := time.Now()
	for len(samples) < most && (len(samples) < 3 || time.Since(began) < limit) {
		start := time.Now()
		err := evaluate(len(samples))
		took := time.Since(start)
		if err != nil {
			return told, err
		}
		samples = append(samples, float64(took)/float64(time.Microsecond))
	}
	sort.Float64s(samples)
	told.P50, told.P99 = samples[len(samples)/2], samples[len(samples)*99/100]
	told.Minimum, told.Count = samples[0], len(samples)
	return told, nil
}

// readObservable reads a Pauli string and a coefficient a line.
func readObservable(path string) (qubus.Observable, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var observable qubus.Observable
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		var term qubus.Term
		if _, err := fmt.Sscan(line, &term.Pauli, &term.Coefficient); err != nil {
			return nil, fmt.Errorf("%s: %q: %w", path, line, err)
		}
		observable = append(observable, term)
	}
	return observable, nil
}

// readNumbers reads little-endian float64.
func readNumbers(path string) ([]float64, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	numbers := make([]float64, len(data)/8)
	for i := range numbers {
		numbers[i] = math.Float64frombits(binary.LittleEndian.Uint64(data[8*i:]))
	}
	return numbers, nil
}
