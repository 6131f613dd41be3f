// Submits a Bell circuit, follows its events, prints its counts; then shows a cancel and an error.
//
//	go run ./examples/bell [ENDPOINT]
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"qubus"
)

const bell = `OPENQASM 3;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
c = measure q;
`

func main() {
	options := qubus.Options{Name: "bell.go"}
	if len(os.Args) > 1 {
		options.Endpoint = os.Args[1]
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
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

	spec := qubus.Program(bell, 1024)
	spec.Seed, spec.Name = qubus.Seed(7), "bell"
	job, err := client.Submit(ctx, spec)
	if err != nil {
		return err
	}
	fmt.Println("job", job.ID())
	if err := follow(ctx, job); err != nil {
		return err
	}
	result, err := job.Result(ctx)
	if err != nil {
		return err
	}
	counts, err := result.Counts()
	if err != nil {
		return err
	}
	for bits, count := range counts {
		fmt.Println(bits, count)
	}
	fmt.Println("execution hash", result.ExecutionHash())

	if job, err = client.Submit(ctx, spec); err != nil {
		return err
	}
	canceled, err := job.Cancel(ctx, "shown by the example")
	if err != nil {
		return err
	}
	fmt.Printf("cancel: %s, %d shots done\n", canceled.Outcome, canceled.ShotsDone)

	_, err = client.Submit(ctx, qubus.Program("OPENQASM 3;\nqubit[2] q;\nh r[0];\n", 10))
	var refused *qubus.Error
	if !errors.As(err, &refused) {
		return fmt.Errorf("a program with an undeclared gate was accepted: %v", err)
	}
	fmt.Printf("refused: %s, line %d, column %d: %s\n",
		refused.Name, refused.Line, refused.Column, refused.Message)
	return nil
}

func follow(ctx context.Context, job *qubus.Job) error {
	events, err := job.Events(ctx, 0)
	if err != nil {
		return err
	}
	defer events.Close()
	for events.Next() {
		event := events.Event()
		fmt.Printf("event %d %s: %s %s\n", event.Sequence, event.Type, event.Status, event.Reason)
	}
	return events.Err()
}
