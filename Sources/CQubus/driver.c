/// Who reads the socket. A thread that waits drives it: it polls the descriptors of the socket and of
/// its monitor without the mutex, then takes the mutex and receives. One caller drives at a time; the
/// others sleep on conditions, and one takes over when the driver leaves. The I/O thread drives only
/// while no caller waits. It exists once a readiness descriptor was asked for, and then takes over at
/// once; and for a direct connection, where it stands in for libzmq's thread: it looks now and then
/// and takes over when nobody has driven since, so that no caller has to wake it.
///
/// libzmq's descriptor signals edges: it may stay silent about messages that were there when it was
/// last looked at. So whoever uses the socket sets `needs_drain`, and nobody sleeps while it is set; a
/// thread that sends while another sleeps receives until nothing is left, and wakes the sleeper when
/// that ended something for it.
#include "internal.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
  longest_rest = 1023,         ///< waits that may go by without a look
  lost_nanoseconds = 60000,    ///< a message's whole way there and back takes less of a processor
  slice_nanoseconds = 500000,  ///< only a thread that computes keeps a processor so long
  shortest_park = 20,          ///< ms between looks of the I/O thread at whether anybody drives
  longest_park = 1000,         ///< ms, while one caller waits for long
};

/// What became of looking.
typedef enum spin_outcome { spin_good, spin_in_vain, spin_lost_a_slice } spin_outcome;

static void signal_descriptor(int descriptor) {
  uint64_t one = 1;
  while (write(descriptor, &one, sizeof one) < 0 && errno == EINTR) continue;
}

static void clear_descriptor(int descriptor) {
  uint64_t count;
  while (read(descriptor, &count, sizeof count) < 0 && errno == EINTR) continue;
}

void driver_interrupt(qubus_client *client) {
  if (client->driver_sleeps) signal_descriptor(client->driver_wakeup);
  if (client->io_sleeps) signal_descriptor(client->io_wakeup);
}

void driver_wake_waiters(qubus_client *client, const void *subject) {
  for (waiter *w = client->waiters; w != NULL; w = w->next) {
    if (w->subject != subject || w->is_woken) continue;
    w->is_woken = 1;
    pthread_cond_signal(&w->condition);
  }
  // The driver looks for itself when it was the one who received.
  if (client->driver_sleeps) signal_descriptor(client->driver_wakeup);
}

/// Whether the next wait looks before it sleeps. Where answers take longer than the spin, or others
/// want the processor, looking only burns it: each such wait doubles the number of waits that go to
/// sleep at once, each good one halves it. A lost slice costs milliseconds: the longest rest at once.
static int32_t may_spin(qubus_client *client) {
  if (client->spin_rests == 0) return 1;
  client->spin_rests--;
  return 0;
}

static void note_spin(qubus_client *client, spin_outcome outcome) {
  uint32_t misses = longest_rest;
  if (outcome == spin_good) misses = client->spin_misses / 2;
  if (outcome == spin_in_vain) misses = client->spin_misses * 2 + 1;
  client->spin_misses = misses < longest_rest ? misses : longest_rest;
  client->spin_rests = outcome == spin_good ? 0 : client->spin_misses;
}

/// Looks at the descriptors again and again: a thread that sleeps on a halted processor wakes some
/// 10 µs late. The processor is yielded between looks, for the threads that bring the answer; when
/// others took it for longer than those need, and without an answer, this one gives up.
static spin_outcome spin(struct pollfd *polled, nfds_t count, monotonic until, int *ready) {
  static const struct timespec at_once = {0, 0};
  monotonic before = monotonic_now(), lost = 0;
  int32_t is_over = 0;
  while ((*ready = ppoll(polled, count, &at_once, NULL)) == 0) {
    if (is_over) break;
    sched_yield();
    monotonic now = monotonic_now();
    lost = now - before;
    is_over = now >= until || lost > lost_nanoseconds;
    before = now;
  }
  if (lost > slice_nanoseconds) return spin_lost_a_slice;
  return *ready != 0 ? spin_good : spin_in_vain;
}

/// What to look at, besides the wakeup; returns the number of descriptors in all.
static nfds_t watched(const qubus_client *client, struct pollfd *polled) {
  if (client->direct.descriptor >= 0) {
    short events = direct_has_rest(&client->direct) ? POLLIN | POLLOUT : POLLIN;
    polled[1] = (struct pollfd){client->direct.descriptor, events, 0};
    return 2;
  }
  if (client->socket == NULL) return 1;
  polled[1] = (struct pollfd){client->socket_descriptor, POLLIN, 0};
  polled[2] = (struct pollfd){client->monitor_descriptor, POLLIN, 0};
  return 3;
}

/// Receives what is there, or sleeps until something comes, `deadline` or a timer; the mutex is free
/// while it sleeps. `sleeps` is the flag that tells others so.
static void drive(
    qubus_client *client, monotonic deadline, int wakeup, int32_t *sleeps) {
  connection_timers(client);
  if (client->needs_drain && receive_all(client) > 0) return;
  if (client->is_closed) return;
  monotonic until = connection_next_timer(client);
  if (deadline < until) until = deadline;
  struct timespec left, *timeout = NULL;
  if (until != time_never) {
    int64_t rest = until - monotonic_now();
    if (rest < 0) rest = 0;
    left = (struct timespec){rest / 1000000000, rest % 1000000000};
    timeout = &left;
  }
  struct pollfd polled[3] = {{wakeup, POLLIN, 0}};
  nfds_t count = watched(client, polled);
  client->sleeps_until = until;
  *sleeps = 1;
  int32_t spins = sleeps == &client->driver_sleeps && count > 1 && may_spin(client);
  pthread_mutex_unlock(&client->mutex);
  int ready = 0;
  spin_outcome outcome = spin_in_vain;
  if (spins) {
    monotonic spin_until = monotonic_now() + client->spin;
    outcome = spin(polled, count, spin_until < until ? spin_until : until, &ready);
  }
  if (ready == 0) ready = ppoll(polled, count, timeout, NULL);
  pthread_mutex_lock(&client->mutex);
  if (spins) note_spin(client, outcome);
  *sleeps = 0;
  if (ready > 0 && polled[0].revents) clear_descriptor(wakeup);
  if (client->is_closed) return;
  if (ready > 0 && count == 3 && polled[2].revents) connection_watch(client);
  direct_flush(&client->direct);
  if (connection_is_open(client)) receive_all(client);
  connection_timers(client);
}

void driver_init_condition(pthread_cond_t *condition) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(condition, &attributes);
  pthread_condattr_destroy(&attributes);
}

static void wait_for_driver(
    qubus_client *client, const void *subject, monotonic deadline) {
  waiter self = {.subject = subject};
  driver_init_condition(&self.condition);
  self.next = client->waiters;
  client->waiters = &self;
  struct timespec until = {deadline / 1000000000, deadline % 1000000000};
  while (!self.is_woken) {
    int result = deadline == time_never
                     ? pthread_cond_wait(&self.condition, &client->mutex)
                     : pthread_cond_timedwait(&self.condition, &client->mutex, &until);
    if (result != 0) break;
  }
  waiter **link = &client->waiters;
  while (*link != &self) link = &(*link)->next;
  *link = self.next;
  pthread_cond_destroy(&self.condition);
}

/// A driver that leaves hands over to a waiter, else to the I/O thread.
static void hand_over(qubus_client *client) {
  if (client->has_driver) return;
  for (waiter *w = client->waiters; w != NULL; w = w->next) {
    // One that was woken already will look for itself, and drive if it must.
    if (w->is_woken) return;
  }
  if (client->waiters != NULL) {
    client->waiters->is_woken = 1;
    pthread_cond_signal(&client->waiters->condition);
  } else if (client->io_is_parked &&
             (client->readiness >= 0 || client->park_milliseconds > shortest_park ||
              direct_has_rest(&client->direct))) {
    pthread_cond_signal(&client->io_condition);
  }
}

int32_t driver_wait(
    qubus_client *client, int32_t (*is_over)(const void *), const void *subject,
    monotonic deadline) {
  int32_t result = 0;
  int32_t has_looked = 0;
  while (!(result = is_over(subject))) {
    if (has_looked && deadline != time_never && monotonic_now() >= deadline) break;
    if (client->is_closed) break;
    has_looked = 1;
    if (client->has_driver) {
      wait_for_driver(client, subject, deadline);
      continue;
    }
    client->has_driver = 1;
    client->drives++;
    // The I/O thread, if it sleeps in poll, wakes for nothing until it parks.
    if (client->io_sleeps) signal_descriptor(client->io_wakeup);
    drive(client, deadline, client->driver_wakeup, &client->driver_sleeps);
    client->has_driver = 0;
  }
  hand_over(client);
  return result;
}

void driver_look(qubus_client *client) {
  connection_watch(client);
  receive_all(client);
  connection_timers(client);
}

void driver_after_send(qubus_client *client) {
  // Without a sleeper the next one to wait drains first, so that a lone caller pays nothing here.
  if (client->driver_sleeps || client->io_sleeps) {
    receive_all(client);
    // Of what is left the descriptors say nothing.
    if (client->needs_drain) driver_interrupt(client);
    // A new deadline may lie before the moment at which the sleeper wakes by itself.
    if (connection_next_timer(client) < client->sleeps_until) driver_interrupt(client);
  }
}

void driver_call_io(qubus_client *client) {
  client->io_is_called = 1;
  driver_interrupt(client);
  if (client->io_is_parked) pthread_cond_signal(&client->io_condition);
}

/// The I/O thread leaves the connection to those who wait for something.
static void park(qubus_client *client) {
  client->io_is_parked = 1;
  if (client->readiness >= 0) {
    pthread_cond_wait(&client->io_condition, &client->mutex);
  } else {
    monotonic end = deadline_after(client->park_milliseconds);
    struct timespec until = {end / 1000000000, end % 1000000000};
    pthread_cond_timedwait(&client->io_condition, &client->mutex, &until);
  }
  client->io_is_parked = 0;
}

static void *io_main(void *argument) {
  qubus_client *client = argument;
  pthread_mutex_lock(&client->mutex);
  uint64_t quiet_since = client->drives - 1;
  client->park_milliseconds = shortest_park;
  while (!client->io_must_end && !client->is_closed && !client->is_orphaned) {
    int32_t may_rest = client->readiness < 0 && !client->io_is_called;
    if (client->has_driver || client->waiters != NULL ||
        (may_rest && client->drives != quiet_since)) {
      uint64_t before = client->drives;
      park(client);
      if (client->drives == before) quiet_since = before;
      int64_t longer = client->drives == before && client->has_driver
                           ? client->park_milliseconds * 2 : shortest_park;
      client->park_milliseconds = longer < longest_park ? longer : longest_park;
      continue;
    }
    client->park_milliseconds = shortest_park;
    drive(client, time_never, client->io_wakeup, &client->io_sleeps);
    client->io_is_called = direct_has_rest(&client->direct);
  }
  pthread_mutex_unlock(&client->mutex);
  if (client->is_orphaned) {
    // The last handle went while this thread worked for it.
    pthread_detach(pthread_self());
    client->has_io_thread = 0;
    client_destroy(client);
  }
  return NULL;
}

int32_t driver_open_readiness(qubus_client *client, qubus_error *error) {
  if (client->readiness < 0) {
    client->readiness = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (client->readiness < 0) {
      return error_set(error, QUBUS_E_OUT_OF_MEMORY, "no event descriptor is to be had");
    }
    if (client->first_completion != NULL) signal_descriptor(client->readiness);
    if (client->io_is_parked) pthread_cond_signal(&client->io_condition);
  }
  return driver_start_io(client, error);
}

int32_t driver_start_io(qubus_client *client, qubus_error *error) {
  if (client->has_io_thread) return QUBUS_OK;
  if (client->io_wakeup < 0) client->io_wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (client->io_wakeup < 0) {
    return error_set(error, QUBUS_E_OUT_OF_MEMORY, "no event descriptor is to be had");
  }
  // Signals are for the threads of the program.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int problem = pthread_create(&client->io_thread, NULL, io_main, client);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (problem != 0) {
    return error_set(error, QUBUS_E_OUT_OF_MEMORY, "the I/O thread cannot be started");
  }
  client->has_io_thread = 1;
  return QUBUS_OK;
}

void driver_stop_io(qubus_client *client) {
  pthread_mutex_lock(&client->mutex);
  int32_t is_running = client->has_io_thread;
  client->has_io_thread = 0;
  client->io_must_end = 1;
  if (is_running) {
    pthread_cond_signal(&client->io_condition);
    signal_descriptor(client->io_wakeup);
  }
  pthread_mutex_unlock(&client->mutex);
  if (!is_running) return;
  if (pthread_equal(pthread_self(), client->io_thread)) {
    pthread_detach(client->io_thread);
  } else {
    pthread_join(client->io_thread, NULL);
  }
}
