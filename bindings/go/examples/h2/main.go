// VQE of H2: the loop here with gradients of the daemon, then the loop in the daemon.
//
//	go run ./examples/h2 [ENDPOINT]
package main

import (
	"context"
	"fmt"
	"log"
	"math"
	"os"
	"time"

	"qubus"
)

// H2 at 0.735 Å, STO-3G, Jordan-Wigner, spin up and down of an orbital side by side; in hartree, the
// nuclear repulsion in the identity. From bindings/python/examples/data/h2.json: integrals by PySCF,
// mapped by OpenFermion.
var hydrogen = qubus.Observable{
	{Pauli: "IIII", Coefficient: -0.09057898608834791},
	{Pauli: "IIIZ", Coefficient: 0.1721839326191556},
	{Pauli: "IIZI", Coefficient: 0.1721839326191556},
	{Pauli: "IIZZ", Coefficient: 0.16892753870087907},
	{Pauli: "IZII", Coefficient: -0.22575349222402394},
	{Pauli: "IZIZ", Coefficient: 0.12091263261776625},
	{Pauli: "IZZI", Coefficient: 0.16614543256382408},
	{Pauli: "XXYY", Coefficient: -0.04523279994605785},
	{Pauli: "XYYX", Coefficient: 0.04523279994605785},
	{Pauli: "YXXY", Coefficient: 0.04523279994605785},
	{Pauli: "YYXX", Coefficient: -0.04523279994605785},
	{Pauli: "ZIII", Coefficient: -0.22575349222402394},
	{Pauli: "ZIIZ", Coefficient: 0.16614543256382408},
	{Pauli: "ZIZI", Coefficient: 0.12091263261776625},
	{Pauli: "ZZII", Coefficient: 0.17464343068300453},
}

// The exact ground state, and how near to it chemistry wants to be.
const (
	exact            = -1.1373060357534004
	chemicalAccuracy = 1.6e-3
)

// Two electrons in the lower spin orbitals, 0 and 1, and unitary coupled cluster: exp(-i t/2 YXXX)
// moves both to the upper ones, the single excitations move one of them.
const ansatz = `OPENQASM 3;
include "stdgates.inc";

gate single_excitation(t) a, b {
  cx b, a;
  ry(t/2) b; cx a, b; ry(-t/2) b; cx a, b;
  cx b, a;
}

input float up;
input float down;
input float both;
qubit[4] q;
x q[0];
x q[1];

single_excitation(up) q[0], q[2];
single_excitation(down) q[1], q[3];

h q[0]; h q[1]; h q[2]; sdg q[3]; h q[3];
cx q[0], q[1]; cx q[1], q[2]; cx q[2], q[3];
rz(both) q[3];
cx q[2], q[3]; cx q[1], q[2]; cx q[0], q[1];
h q[0]; h q[1]; h q[2]; h q[3]; s q[3];
`

func main() {
	options := qubus.Options{Name: "h2.go"}
	if len(os.Args) > 1 {
		options.Endpoint = os.Args[1]
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, options); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, options qubus.Options) error {
	client, err := qubus.Open(ctx, options)
	if err != nil {
		return err
	}
	defer client.Close()
	session, err := client.OpenSession(ctx, qubus.SessionSpec{
		Program: ansatz, Observables: []qubus.Observable{hydrogen}, Name: "H2",
	})
	if err != nil {
		return err
	}
	defer session.Close()

	energy, steps, err := descend(ctx, session)
	if err != nil {
		return err
	}
	fmt.Printf("here           %.9f  after %d steps\n", energy, steps)
	optimum, err := optimize(ctx, session)
	if err != nil {
		return err
	}
	fmt.Printf("in the daemon  %.9f  after %d iterations, %s\n",
		optimum.BestValue, optimum.Iterations, optimum.Ending)
	fmt.Printf("exact          %.9f\n", exact)
	for _, found := range []float64{energy, optimum.BestValue} {
		if math.Abs(found-exact) > chemicalAccuracy {
			return fmt.Errorf("%.6f is not the ground state", found)
		}
	}
	return nil
}

// descend follows the gradient with the step lengths of Barzilai and Borwein (1988). It allocates
// nothing in its loop: the slices of the step are used again and again.
func descend(ctx context.Context, session *qubus.Session) (energy float64, steps int, err error) {
	count := len(session.Parameters())
	step := &qubus.Step{
		Outputs:    qubus.StepValues | qubus.StepGradients,
		Parameters: make([]float64, count), Values: make([]float64, 1),
		Gradients: make([]float64, count),
	}
	moved, before := make([]float64, count), make([]float64, count)
	rate := 0.5
	for steps = 1; steps <= 200; steps++ {
		if err := session.Evaluate(ctx, step); err != nil {
			return 0, steps, err
		}
		var norm, along, length float64
		for i, g := range step.Gradients {
			norm += g * g
			along += moved[i] * (g - before[i])
			length += moved[i] * moved[i]
		}
		if norm < 1e-16 {
			break
		}
		if along > 0 {
			rate = length / along
		}
		for i, g := range step.Gradients {
			before[i], moved[i] = g, -rate*g
			step.Parameters[i] += moved[i]
		}
	}
	return step.Values[0], steps, nil
}

// optimize runs the loop in the daemon and prints some of its iterations as they come.
func optimize(ctx context.Context, session *qubus.Session) (qubus.Optimum, error) {
	optimization, err := session.Optimize(ctx, qubus.OptimizationSpec{
		Method: "adam", Initial: make([]float64, len(session.Parameters())),
		Options: map[string]float64{"learning_rate": 0.1}, MaxIterations: 300,
	})
	if err != nil {
		return qubus.Optimum{}, err
	}
	defer optimization.Close()
	for optimization.Next() {
		if one := optimization.Iteration(); one.Number%50 == 1 {
			fmt.Printf("  iteration %3d  %.6f\n", one.Number, one.Value)
		}
	}
	if err := optimization.Err(); err != nil {
		return qubus.Optimum{}, err
	}
	return optimization.Result(ctx)
}
