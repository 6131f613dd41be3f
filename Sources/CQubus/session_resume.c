/// A session goes on over another connection: ResumeSession goes before the first step that is sent
/// there, and its answer says which number is next. Everything here runs under the client's mutex.
#include <stdlib.h>
#include <string.h>

#include "session.h"

static void fail_steps(qubus_session *session, int32_t code, const qubus_error *why) {
  while (session->first_step != NULL) {
    step *step = session->first_step;
    qubus_call *call = step->call;
    if (step->is_ghost) {
      step_drop_ghost(step);
      continue;
    }
    // No ghost is left: the session is gone, or its caller has to say what follows.
    step->is_answered = 1;
    call_fail(call, code, "%s", why->message);
  }
}

static void fail_optimizations(qubus_session *session, int32_t code, const qubus_error *why) {
  for (qubus_call *call = session->client->first_open, *next; call != NULL; call = next) {
    next = call->next;
    if (call->kind == call_optimize && call->state == call_queued &&
        optimization_session(call->optimization) == session) {
      call_fail(call, code, "%s", why->message);
    }
  }
}

static void begin(qubus_session *session) {
  qubus_call *call = &session->resume;
  if (call->state == call_queued || call->state == call_sent) return;
  Qubus__V1__ResumeSessionRequest request = QUBUS__V1__RESUME_SESSION_REQUEST__INIT;
  request.session_id = session->id;
  request.secret = (ProtobufCBinaryData){sizeof session->secret, session->secret};
  request.last_sequence = session->last_sequence;
  call_clear(call);
  call_init(call, session->client, call_resume, &method_resume_session);
  call->session = session;
  // The steps have deadlines of their own.
  call->deadline = deadline_after(session->client->call_timeout);
  if (message_encode(&request.base, &call->request, NULL) != QUBUS_OK) return;
  call_enlist(call);
  connection_transmit(session->client, call);
}

int32_t session_is_ready(qubus_session *session) {
  // One that was taken over is not taken back, and one without a secret cannot be.
  if (session->held_on == session->client->connection_number || session->is_usurped ||
      session->is_closed || !session->has_secret) {
    return 1;
  }
  begin(session);
  return 0;
}

/// Gives the steps that the server has not answered the numbers that it expects, in order. What it
/// has answered keeps its number, and gets the stored answer.
static void renumber(qubus_session *session, uint64_t expected) {
  uint64_t number = expected;
  for (step *s = session->first_step, *next; s != NULL; s = next) {
    next = s->next;
    if (s->sequence == 0) continue;
    if (s->sequence < expected && s->is_ghost) {
      step_drop_ghost(s);
    } else if (s->sequence < expected && s->was_refused) {
      s->is_answered = 1;
      call_finish(s->call, QUBUS_E_STEP_OUT_OF_ORDER);
    } else if (s->sequence >= expected) {
      s->sequence = number++;
    }
  }
  for (step *s = session->first_step; s != NULL; s = s->next) s->was_refused = 0;
  session->next_sequence = number;
  session->has_guess = 0;
}

static void accept(qubus_session *session, const Qubus__V1__ResumeSessionResponse *response) {
  session->held_on = session->client->connection_number;
  if (response->was_rebuilt) session->was_rebuilt = 1;
  renumber(session, response->next_sequence > 0 ? response->next_sequence : 1);
  step_send_waiting(session);
  qubus_client *client = session->client;
  for (qubus_call *call = client->first_open, *next; call != NULL; call = next) {
    next = call->next;
    if (call->kind == call_optimize && call->state == call_queued &&
        optimization_session(call->optimization) == session) {
      connection_transmit(client, call);
    }
    if (client->connection != connection_ready) return;
  }
}

void session_resumed(qubus_session *session) {
  qubus_call *call = &session->resume;
  if (session->client->is_closed) return;
  qubus_error error = QUBUS_ERROR_INIT;
  int32_t code = call_outcome(call, &error);
  if (code == QUBUS_E_DEADLINE_EXCEEDED) {
    if (session->first_step != NULL) begin(session);
    return;
  }
  uint8_t buffer[2048];
  qubus_arena arena;
  ProtobufCMessage *message;
  qubus_arena_init(&arena, buffer, sizeof buffer,
                   message_budget(zmq_msg_size(&call->final.body)));
  if (code == QUBUS_OK) code = call_decode(call, &arena, &message, &error);
  if (code == QUBUS_OK) {
    accept(session, (const void *)message);
  } else {
    fail_steps(session, code, &error);
    fail_optimizations(session, code, &error);
  }
  qubus_arena_free(&arena);
}
