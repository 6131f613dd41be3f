package qubus_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// runExample runs one of the example programs against the daemon of the tests.
func runExample(t *testing.T, name string) string {
	t.Helper()
	command := exec.CommandContext(
		within(t, 2*time.Minute), "go", "run", "./examples/"+name, endpoint)
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return string(output)
}

func TestTheBellExampleShowsEventsACancelAndAnError(t *testing.T) {
	open(t)
	output := runExample(t, "bell")
	for _, part := range []string{"event 1 status.changed: accepted", "cancel: ",
		"refused: undeclared_identifier, line 3"} {
		if !strings.Contains(output, part) {
			t.Errorf("no %q in\n%s", part, output)
		}
	}
}

func TestTheH2ExampleReachesTheGroundState(t *testing.T) {
	withSessions(t)
	if output := runExample(t, "h2"); !strings.Contains(output, "here           -1.137") {
		t.Error(output)
	}
}
