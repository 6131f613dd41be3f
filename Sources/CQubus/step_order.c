/// The order of a session's steps: numbers, ghosts, and what happens when one is answered or left.
/// Everything here runs under the client's mutex.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"

enum { refusals_maximum = 3, corruptions_maximum = 1 };

// The list

/// Puts a step before `place`, or at the end.
static void enlist(step *step, struct step *place) {
  qubus_session *session = step->session;
  step->next = place;
  step->previous = place != NULL ? place->previous : session->last_step;
  if (step->previous != NULL) {
    step->previous->next = step;
  } else {
    session->first_step = step;
  }
  if (place != NULL) {
    place->previous = step;
  } else {
    session->last_step = step;
  }
  step->is_listed = 1;
  if (step->is_ghost) session->ghost_count++;
}

void step_unlist(step *step) {
  qubus_session *session = step->session;
  if (!step->is_listed) return;
  if (step->previous != NULL) {
    step->previous->next = step->next;
  } else {
    session->first_step = step->next;
  }
  if (step->next != NULL) {
    step->next->previous = step->previous;
  } else {
    session->last_step = step->previous;
  }
  step->is_listed = 0;
  if (step->is_ghost) session->ghost_count--;
}

// Ghosts

void step_drop_ghost(step *ghost) {
  step_unlist(ghost);
  call_abandon(ghost->call);
  // Ghosts hold no session, and the session holds the client: nothing more is freed by this.
  call_release(ghost->call);
}

/// Puts a ghost in the place of a step whose caller leaves. Without memory there is none: the
/// session is suspect then, and asks the server where it stands.
static void leave_ghost(step *left) {
  qubus_session *session = left->session;
  session->is_suspect = 1;
  qubus_call *call;
  step *ghost = calloc(1, sizeof *ghost);
  double *copy = left->owned != NULL ? left->owned : malloc(left->bytes ? left->bytes : 1);
  if (ghost == NULL || copy == NULL ||
      call_create(session->client, call_step, &method_step, 0, &call, NULL) != QUBUS_OK) {
    free(ghost);
    if (copy != left->owned) free(copy);
    return;
  }
  if (left->owned == NULL && left->bytes > 0) memcpy(copy, left->parameters, left->bytes);
  *ghost = (step){.session = session, .call = call, .sequence = left->sequence,
                  .outputs = left->outputs, .shots = left->shots,
                  .target_error = left->target_error, .rows = left->rows, .parameters = copy,
                  .bytes = left->bytes, .crc32c = left->crc32c, .owned = copy, .is_ghost = 1,
                  .is_guess = left->is_guess};
  left->owned = NULL;
  call->step = ghost;
  enlist(ghost, left);
}

static int32_t is_same(const step *a, const step *b) {
  return a->outputs == b->outputs && a->shots == b->shots && a->rows == b->rows &&
         a->bytes == b->bytes && a->crc32c == b->crc32c &&
         memcmp(&a->target_error, &b->target_error, sizeof a->target_error) == 0 &&
         (a->bytes == 0 || memcmp(a->parameters, b->parameters, a->bytes) == 0);
}

static void open_call(step *step) {
  qubus_client *client = step->session->client;
  call_enlist(step->call);
  if (client->connection != connection_ready) connection_timers(client);
  connection_transmit(client, step->call);
}

/// Sends the ghosts before `end` again that the server does not work on.
static void send_ghosts(qubus_session *session, const step *end) {
  for (step *s = session->first_step; s != NULL && s != end; s = s->next) {
    if (s->is_ghost && s->call->state == call_new) open_call(s);
  }
}

int32_t step_begin(step *given, qubus_error *error) {
  qubus_session *session = given->session;
  if (session->client->is_closed) {
    return error_set(error, QUBUS_E_CLIENT_CLOSED, "the client was closed");
  }
  if (session->is_closed) {
    return error_set(error, QUBUS_E_SESSION_NOT_FOUND, "session %s was closed", session->id);
  }
  uint64_t limit = session->client->message_limit;
  if (limit != 0 && given->bytes > limit) {
    return error_set(error, QUBUS_E_MESSAGE_TOO_LARGE,
                     "the step's parameters have %zu bytes, the server takes at most %llu",
                     given->bytes, (unsigned long long)limit);
  }
  step *same = session->ghost_count > 0 ? session->first_step : NULL;
  while (same != NULL && !(same->is_ghost && is_same(same, given))) same = same->next;
  if (session->ghost_count > 0) send_ghosts(session, same);
  enlist(given, same);
  if (same != NULL) {
    given->sequence = same->sequence;
    given->is_guess = same->is_guess;
    step_drop_ghost(same);
  }
  open_call(given);
  return QUBUS_OK;
}

// Sending

int32_t step_is_due(step *step) {
  qubus_session *session = step->session;
  if (!session_is_ready(session)) return 0;
  // Nobody may pile up steps that are left: then the next one has to wait for an answer.
  if (step->sequence == 0 && session->ghost_count >= step_ghosts_maximum) return 0;
  // The server lets a bounded number wait, and refuses more.
  const struct step *first = session->first_step;
  if (step->sequence == 0 && first != NULL && first->sequence != 0 &&
      session->next_sequence - first->sequence >= step_window) {
    return 0;
  }
  // Until it is known whether the number of a former client's step counts, nothing follows it.
  return first == step || first == NULL || !first->is_guess;
}

int32_t step_send(step *step) {
  qubus_session *session = step->session;
  if (step->sequence == 0) {
    step->sequence = session->next_sequence++;
    step->is_guess = session->has_guess;
    session->has_guess = 0;
  }
  uint8_t envelope[step_envelope_capacity], request[step_request_capacity];
  size_t sizes[3] = {step_put_envelope(step, envelope), step_put_request(step, request),
                     step->bytes};
  const void *frames[3] = {envelope, request, step->bytes > 0 ? (const void *)step->parameters : ""};
  return connection_send(session->client, frames, sizes, 3);
}

void step_send_waiting(qubus_session *session) {
  qubus_client *client = session->client;
  const step *last = session->last_step;
  while (last != NULL && last->is_ghost) last = last->previous;
  int32_t is_needed = last != NULL;  // ghosts behind the last step that somebody waits for are not
  for (step *s = session->first_step, *next; s != NULL; s = next) {
    next = s->next;
    if (s == last) is_needed = 0;
    if (s->call->state == call_queued) connection_transmit(client, s->call);
    if (s->sequence == 0) return;  // not due yet, and what follows neither
    if (is_needed && s->is_ghost && s->call->state == call_new) open_call(s);
    if (client->connection != connection_ready) return;
  }
}

// Answers

/// The server refused the number. Returns 1 when the step goes on under another one.
static int32_t renumber(qubus_call *call) {
  step *step = call->step;
  qubus_session *session = step->session;
  // Its own steps alone moved the session, unless none failed: then somebody else steps it.
  if (!(session->is_suspect || step->is_guess) || step->refusals++ >= refusals_maximum) return 0;
  call->state = call_queued;
  if (step->is_guess) {
    // The former client's step had other contents: this one is the next.
    step->is_guess = 0;
    step->sequence = 0;
    call_drop_replies(call);
    connection_transmit(session->client, call);
    step_send_waiting(session);
    return 1;
  }
  step->was_refused = 1;
  session->held_on = 0;
  session_is_ready(session);
  return 1;
}

/// Whether steps wait until others are answered.
static int32_t has_waiting(const qubus_session *session) {
  return session->last_step != NULL && session->last_step->sequence == 0;
}

void step_settle(qubus_call *call, const char *problem, int32_t is_corrupt) {
  step *step = call->step;
  qubus_session *session = step->session;
  int32_t was_guess = step->is_guess;
  if (is_corrupt && step->corruptions++ < corruptions_maximum) {
    call_drop_replies(call);
    call->state = call_queued;
    connection_transmit(session->client, call);
    return;
  }
  if (problem == NULL && step->facts.sequence != step->sequence) {
    problem = "it tells another sequence number";
  }
  step->is_answered = 1;
  step->is_guess = 0;
  if (step->sequence > session->last_sequence) session->last_sequence = step->sequence;
  // The server answers in order: what was left before this one is settled.
  while (session->first_step != step && session->first_step->is_ghost) {
    step_drop_ghost(session->first_step);
  }
  if (session->ghost_count - step->is_ghost == 0) session->is_suspect = 0;
  if (session->was_rebuilt && !step->is_ghost) {
    step->facts.was_rebuilt = 1;
    session->was_rebuilt = 0;
  }
  if (problem == NULL) {
    call_finish(call, QUBUS_OK);
  } else {
    call_fail(call, is_corrupt ? QUBUS_E_ATTACHMENT_CHECKSUM_MISMATCH : QUBUS_E_PROTOCOL_ERROR,
              "the answer to step %llu of session %s is malformed: %s",
              (unsigned long long)step->sequence, session->id, problem);
  }
  if (was_guess || has_waiting(session)) step_send_waiting(session);
}

void step_answered(qubus_call *call, int32_t outcome) {
  step *step = call->step;
  qubus_session *session = step->session;
  if (outcome == QUBUS_OK) {
    int32_t is_corrupt = 0;
    const char *problem = step_judge_reply(call, &is_corrupt);
    step_settle(call, problem, is_corrupt);
    return;
  }
  if (outcome == QUBUS_E_STEP_OUT_OF_ORDER && renumber(call)) return;
  int32_t was_guess = step->is_guess;
  if (outcome != QUBUS_E_DEADLINE_EXCEEDED && outcome != QUBUS_E_CALL_CANCELED) {
    // Refused: its number is free again.
    step->is_answered = 1;
    session->is_suspect = outcome != QUBUS_E_STEP_OUT_OF_ORDER;
    // The caller was told; the next step asks the server first where the session stands.
    if (outcome == QUBUS_E_STEP_OUT_OF_ORDER) session->held_on = 0;
    if (step->sequence + 1 == session->next_sequence) session->next_sequence = step->sequence;
    if (was_guess) session->has_guess = 1;
    if (outcome == QUBUS_E_SESSION_HELD_ELSEWHERE) session->is_usurped = 1;
  }
  call_finish(call, outcome);
  if (was_guess || has_waiting(session)) step_send_waiting(session);
}

void step_ended(qubus_call *call) {
  step *step = call->step;
  if (!step->is_listed) return;
  qubus_session *session = step->session;
  if (step->is_ghost) {
    step_unlist(step);
    call_release(call);
    if (session->ghost_count == step_ghosts_maximum - 1 && !session->client->is_closed) {
      step_send_waiting(session);
    }
    return;
  }
  if (step->sequence != 0 && !step->is_answered && !session->client->is_closed &&
      !session->is_closed) {
    leave_ghost(step);
  }
  step_unlist(step);
}

void step_free(qubus_call *call) {
  step *step = call->step;
  if (step == NULL) return;
  call->step = NULL;
  free(step->owned);
  step->owned = NULL;
  qubus_session *session = step->session;
  if (step == &session->synchronous_step) return;
  int32_t holds_session = step->holds_session;
  free(step);
  if (holds_session) session_release(session);
}
