/// A server on a thread of its own that follows the protocol, and breaks it in one way when told to.
#ifndef MOCK_H
#define MOCK_H

#include <stdatomic.h>
#include <stdint.h>

typedef struct mock mock;

/// What the mock does wrong, or does at all; counters count down as they are used.
typedef struct mock_behaviour {
  atomic_int is_silent;           ///< reads, answers nothing
  atomic_int protocol_version;    ///< of HELLO; 1
  atomic_int hello_refusals;      ///< so many HELLOs are answered with `hello_error`
  atomic_int hello_error;
  atomic_int swallowed_hellos;    ///< so many HELLOs are read and never answered
  atomic_int lost_acknowledgements;  ///< so many submits are made durable, then the server restarts
  atomic_int truncated_envelopes;
  atomic_int truncated_bodies;
  atomic_int missing_attachments;
  atomic_int has_strangers;       ///< answers to unknown calls before each answer
  atomic_int has_double_finals;
  atomic_int events;              ///< of each job; the last is terminal
  atomic_int gap_after;           ///< leaves out the event after this one, `gaps` times
  atomic_int gaps;
  atomic_int has_double_events;
  atomic_int restart_after_event; ///< restarts once after having sent this event
  atomic_int not_ready;           ///< so many GetResults are answered with result_not_ready
  atomic_int is_chunked;
  atomic_int corrupt_chunks;      ///< so many chunks get a flipped bit
  atomic_int corrupt_checksums;   ///< so many chunks get another CRC
  atomic_int job_status;          ///< of a job in GetResult and GetJob; QUBUS_JOB_SUCCEEDED
  atomic_int submit_error;        ///< answers submits with this registry number
  atomic_int shutting_down;       ///< so many calls are answered with server_shutting_down

  // Sessions: see mock_session.c for what a step gives.
  atomic_int lost_openings;       ///< so many OpenSessions are durable, then the server restarts
  atomic_int restart_at_step;     ///< restarts once instead of answering the step of this number
  atomic_int drop_at_step;        ///< closes all connections once, likewise; the instance stays
  atomic_int is_step_lost;        ///< 1: the two above come before the step was evaluated
  atomic_int swallowed_steps;     ///< so many steps are read and forgotten
  atomic_int swallowed_resumes;
  atomic_int holds_steps;         ///< steps wait until `mock_release`; a cancel drops all but the first
  atomic_int has_other_sequence;  ///< so many answers tell a wrong sequence number
  atomic_int has_unknown_fields;  ///< envelopes have a field that the library does not know
  atomic_int step_error;          ///< so many steps are refused with execution_failed
  atomic_int iterations;          ///< of each optimization
  atomic_int restart_at_iteration;  ///< restarts once after a batch that reaches this number
  atomic_int skipped_batches;     ///< so many batches are left out
  atomic_int is_endless;          ///< optimizations send what they have and never end
  atomic_int gate_status;         ///< of CURVE: what the gate answers for a key that is known; 200
} mock_behaviour;

/// What the mock saw.
typedef struct mock_record {
  atomic_int hellos, submits, jobs, cancels, credits, watches, get_results, pings, connections;
  atomic_int resumed_after;       ///< after_sequence of the last WatchJob
  atomic_int calls_before_hello;
  atomic_int unanswered;          ///< messages that were read while it was silent
  atomic_int opens, sessions, closes, steps, evaluations, repeats, resumes, optimizations;

  atomic_int held;                ///< steps that wait
  atomic_int handshakes;          ///< of CURVE: that the gate was asked about
  char token[8192];               ///< of the last call; read it after the answer came
  char token_method[64];          ///< the method of that call
  atomic_int hello_tokens;        ///< HELLOs with a token
} mock_record;

struct mock {
  mock_behaviour behaviour;
  mock_record record;
};

mock *mock_start(const char *endpoint);
/// The same over CURVE on a port of 127.0.0.1. Lets in one client, by its public key.
mock *mock_start_curve(const char *server_secret, const char *client_public);
/// For clients: curve://127.0.0.1:PORT.
const char *mock_endpoint(const mock *server);
/// Closes the socket and binds a new one as another instance.
void mock_restart(mock *server);
/// Closes the socket; `mock_up` binds again.
void mock_down(mock *server);
void mock_up(mock *server);
void mock_goaway(mock *server);
/// Answers the steps that wait; `holds_steps` is off afterwards.
void mock_release(mock *server);
void mock_stop(mock *server);

#endif
