package qubus

// #include "shim.h"
import "C"

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Status is the lifecycle's word.
type Status string

const (
	StatusAccepted          Status = "accepted"
	StatusQueued            Status = "queued"
	StatusReserved          Status = "reserved"
	StatusRunning           Status = "running"
	StatusProcessingResults Status = "processing_results"
	StatusSucceeded         Status = "succeeded"
	StatusFailed            Status = "failed"
	StatusCanceled          Status = "canceled"
	StatusExpired           Status = "expired"
)

// IsTerminal tells whether the status is a job's last.
func (s Status) IsTerminal() bool {
	return s == StatusSucceeded || s == StatusFailed || s == StatusCanceled || s == StatusExpired
}

// Job is a durable job. It holds nothing of the library: there is nothing to close.
type Job struct {
	client      *Client
	id          string
	key         string
	isDuplicate bool
}

// Submit sends a job and returns once it is durable, not once it ran. A context that ends meanwhile
// leaves open whether the job exists: the Error's IdempotencyKey makes a second submit safe.
//
// Errors: those of class ClassValidation for what is wrong with the program and the request, with
// line and column where they have a place in the source; ErrIdempotencyConflict;
// ErrQueueCapacityExceeded; those of the connection.
func (c *Client) Submit(ctx context.Context, spec JobSpec) (*Job, error) {
	var memory arena
	defer memory.free()
	native, err := pack(&memory, &spec)
	if err != nil {
		return nil, err
	}
	return perform(ctx, c, "submit", c.callTimeout,
		func(client *C.qubus_client, tag C.uint64_t, out **C.qubus_call, e *C.qubus_error) C.int32_t {
			return C.qubus_job_submit_start(client, native, tag, out, e)
		},
		func(call *C.qubus_call, e *C.qubus_error) (*Job, error) {
			var taken *C.qubus_job
			if code := C.qubus_call_take_job(call, &taken, e); code != C.QUBUS_OK {
				return nil, failure(code, e)
			}
			defer C.qubus_job_free(&taken)
			return &Job{
				client: c, id: C.GoString(C.qubus_job_id(taken)),
				key:         C.GoString(C.qubus_call_idempotency_key(call)),
				isDuplicate: C.qubus_job_is_duplicate(taken) != 0,
			}, nil
		})
}

// Plan is a dry run: what the job would take. JSON is the whole message PlanResponse.
type Plan struct {
	Device           string          `json:"device"`
	Lane             string          `json:"lane"`
	MemoryBytes      int64           `json:"memory_bytes"`
	MemoryLimitBytes int64           `json:"memory_limit_bytes"`
	EstimatedSeconds float64         `json:"estimated_seconds"`
	Fingerprint      string          `json:"fingerprint"`
	JobsAhead        int             `json:"jobs_ahead"`
	JSON             json.RawMessage `json:"-"`
}

// Plan checks a job without submitting it. Errors as of Submit.
func (c *Client) Plan(ctx context.Context, spec JobSpec) (Plan, error) {
	var memory arena
	defer memory.free()
	native, err := pack(&memory, &spec)
	if err != nil {
		return Plan{}, err
	}
	text, err := perform(ctx, c, "plan", c.callTimeout,
		func(client *C.qubus_client, tag C.uint64_t, out **C.qubus_call, e *C.qubus_error) C.int32_t {
			return C.qubus_job_plan_start(client, native, tag, out, e)
		}, takeText)
	if err != nil {
		return Plan{}, err
	}
	plan := Plan{JSON: text}
	return plan, decode(text, &plan)
}

// Estimate runs one pub as a job and gives its expectation values, whose shape is that of parameters
// and observables broadcast against each other. Sessions are the faster way to many of them.
func (c *Client) Estimate(ctx context.Context, pub Pub) (Array, error) {
	job, err := c.Submit(ctx, JobSpec{Pubs: []Pub{pub}})
	if err != nil {
		return Array{}, err
	}
	result, err := job.Result(ctx)
	if err != nil {
		return Array{}, err
	}
	return result.Array(0, "expectation_values")
}

// Job gives a job by its id. It does not ask the server.
func (c *Client) Job(id string) *Job { return &Job{client: c, id: id} }

// ID is sortable by time of submission.
func (j *Job) ID() string { return j.id }

// IdempotencyKey is the one it was submitted under; "" for a job from Client.Job.
func (j *Job) IdempotencyKey() string { return j.key }

// IsDuplicate is true when the submit found the job by its idempotency key.
func (j *Job) IsDuplicate() bool { return j.isDuplicate }

// JobInfo is what the server tells about a job. JSON is the whole message Job.
type JobInfo struct {
	ID           string          `json:"job_id"`
	Status       Status          `json:"status"`
	Reason       string          `json:"reason"`
	Attempt      int             `json:"attempt"`
	SubmittedAt  int64           `json:"submitted_at"` // microseconds UTC
	Lane         string          `json:"lane"`
	Device       string          `json:"device"`
	Name         string          `json:"name"`
	Tags         []string        `json:"tags"`
	Seed         uint64          `json:"seed"`
	ShotsDone    uint64          `json:"shots_done"`
	LastSequence uint64          `json:"last_sequence"`
	JSON         json.RawMessage `json:"-"`
}

// Info asks the server. Errors: ErrJobNotFound, also for a job of another tenant.
func (j *Job) Info(ctx context.Context) (JobInfo, error) {
	var answer struct {
		Job json.RawMessage `json:"job"`
	}
	err := j.client.request(ctx, "job", C.QUBUS_METHOD_GET_JOB, j.id, nil, &answer)
	if err != nil {
		return JobInfo{}, err
	}
	info := JobInfo{JSON: answer.Job}
	return info, decode(answer.Job, &info)
}

// Status asks the server.
func (j *Job) Status(ctx context.Context) (Status, error) {
	info, err := j.Info(ctx)
	return info.Status, err
}

// shortestWait keeps a server that answers "not ready" at once from being asked in a tight loop.
const shortestWait = 10 * time.Millisecond

// Wait waits for a terminal status, as long as the context lasts; it survives reconnects and
// restarts of the daemon. The end of the context ends the wait, never the job.
func (j *Job) Wait(ctx context.Context) (Status, error) {
	result, err := j.fetch(ctx, true)
	if err == nil {
		var info JobInfo
		err = decode(result.JobJSON(), &info)
		return info.Status, err
	}
	var e *Error
	if errors.As(err, &e) && e.tellsAboutJob() {
		return j.Status(ctx) // a job without a result answers with its own error
	}
	return "", err
}

// tellsAboutJob is false for errors of the call: connection, time-out, missing permission.
func (e *Error) tellsAboutJob() bool {
	switch e.Code {
	case ErrJobNotFound, ErrInvalidIdentifier, ErrServerShuttingDown, ErrServerOverloaded:
		return false
	}
	return e.Class != ClassClient
}

// Result waits for the end and fetches everything. A failed job gives its own error; a canceled one
// its partial result when it has one, else ErrExecutionCanceled.
func (j *Job) Result(ctx context.Context) (*Result, error) { return j.fetch(ctx, false) }

func (j *Job) fetch(ctx context.Context, manifestOnly bool) (*Result, error) {
	only := C.int32_t(0)
	if manifestOnly {
		only = 1
	}
	for {
		wait := milliseconds(remaining(ctx, forever))
		asked := time.Now()
		result, err := perform(ctx, j.client, "result", forever,
			func(client *C.qubus_client, tag C.uint64_t, out **C.qubus_call, e *C.qubus_error) C.int32_t {
				return j.attached(client, e, func(job *C.qubus_job) C.int32_t {
					return C.qubus_job_result_start(job, wait, only, tag, out, e)
				})
			}, takeResult)
		if !errors.Is(err, ErrResultNotReady) {
			return result, err
		}
		pause := time.NewTimer(shortestWait - time.Since(asked))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil, contextError(ctx, "result")
		}
	}
}

// attached runs `f` on a handle of the job that lives for the call.
func (j *Job) attached(
	client *C.qubus_client, e *C.qubus_error, f func(*C.qubus_job) C.int32_t,
) C.int32_t {
	id := C.CString(j.id)
	defer C.free(pointerOf(id))
	var job *C.qubus_job
	if code := C.qubus_job_attach(client, id, &job, e); code != C.QUBUS_OK {
		return code
	}
	defer C.qubus_job_free(&job)
	return f(job)
}

// CancelOutcome tells when a cancel reached its job.
type CancelOutcome string

const (
	CancelBeforeStart CancelOutcome = "before_start"
	CancelDuringRun   CancelOutcome = "during_run"
	CancelTooLate     CancelOutcome = "too_late"
)

// Cancellation is the answer to a cancel.
type Cancellation struct {
	Outcome   CancelOutcome `json:"outcome"`
	ShotsDone uint64        `json:"shots_done"` // done and charged
}

// Cancel stops the job; asking again gives the same answer. `reason` may be "".
func (j *Job) Cancel(ctx context.Context, reason string) (Cancellation, error) {
	var arguments []argument
	if reason != "" {
		arguments = []argument{{"reason", reason}}
	}
	var answer Cancellation
	err := j.client.request(ctx, "cancel", C.QUBUS_METHOD_CANCEL_JOB, j.id, arguments, &answer)
	return answer, err
}
