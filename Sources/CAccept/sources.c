#define _GNU_SOURCE
#include "sources.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "accept.h"

enum { slot_count = 4096, thousand = 1000 };

/// A handshake costs the server a fraction of a millisecond before it knows any key. So every address
/// has an account: a connection costs one, which comes back when its peer is let in, and the rest comes
/// back with time. Addresses share slots by a hash that outsiders cannot compute: the table never grows,
/// whatever the number of addresses.
static struct {
  pthread_mutex_t mutex;
  /// In thousandths of a connection.
  int64_t burst, per_second;
  uint64_t seed;
  struct {
    int64_t debt;
    int64_t milliseconds;
  } slots[slot_count];
} sources = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static int64_t now_milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * thousand + now.tv_nsec / 1000000;
}

static uint64_t mixed(uint64_t value) {
  value ^= value >> 30;
  value *= 0xBF58476D1CE4E5B9u;
  value ^= value >> 27;
  value *= 0x94D049BB133111EBu;
  return value ^ value >> 31;
}

/// Of IPv6 the first 64 bits count: who has one address there has all with the same ones.
static int64_t slot_of_ipv6(const struct in6_addr *address) {
  uint64_t number = 0;
  if (IN6_IS_ADDR_V4MAPPED(address)) {
    memcpy(&number, address->s6_addr + 12, 4);
  } else {
    memcpy(&number, address->s6_addr, 8);
    number = mixed(number + 1);
  }
  return (int64_t)(mixed(number + sources.seed) % slot_count);
}

static int64_t slot_of_ipv4(const struct in_addr *address) {
  uint64_t number = 0;
  memcpy(&number, address, 4);
  return (int64_t)(mixed(number + sources.seed) % slot_count);
}

static int64_t slot_of(const struct sockaddr *address) {
  if (address->sa_family == AF_INET) {
    return slot_of_ipv4(&((const struct sockaddr_in *)address)->sin_addr);
  }
  if (address->sa_family == AF_INET6) {
    return slot_of_ipv6(&((const struct sockaddr_in6 *)address)->sin6_addr);
  }
  return -1;
}

void qubus_accept_limit(uint32_t burst, uint32_t per_second) {
  uint64_t seed = 0;
  if (getrandom(&seed, sizeof seed, 0) != sizeof seed) seed = (uint64_t)now_milliseconds();
  pthread_mutex_lock(&sources.mutex);
  sources.burst = (int64_t)burst * thousand;
  sources.per_second = (int64_t)per_second * thousand;
  sources.seed = seed;
  memset(sources.slots, 0, sizeof sources.slots);
  pthread_mutex_unlock(&sources.mutex);
}

int qubus_source_enter(const struct sockaddr *address) {
  int is_welcome = 1;
  pthread_mutex_lock(&sources.mutex);
  int64_t slot = sources.burst > 0 ? slot_of(address) : -1;
  if (slot >= 0) {
    int64_t now = now_milliseconds();
    int64_t debt = sources.slots[slot].debt;
    int64_t elapsed = now - sources.slots[slot].milliseconds;
    // Longer than this nothing is owed, and the product stays within its type.
    int64_t enough = sources.per_second > 0 ? sources.burst * thousand / sources.per_second + 1
                                            : INT64_MAX;
    debt = elapsed >= enough ? 0 : debt - elapsed * sources.per_second / thousand;
    if (debt < 0) debt = 0;
    is_welcome = debt + thousand <= sources.burst;
    if (is_welcome) debt += thousand;
    sources.slots[slot].debt = debt;
    sources.slots[slot].milliseconds = now;
  }
  pthread_mutex_unlock(&sources.mutex);
  return is_welcome;
}

void qubus_accept_admitted(const char *address) {
  struct in_addr ipv4;
  struct in6_addr ipv6;
  int is_ipv4 = inet_pton(AF_INET, address, &ipv4) == 1;
  if (!is_ipv4 && inet_pton(AF_INET6, address, &ipv6) != 1) return;
  pthread_mutex_lock(&sources.mutex);
  if (sources.burst > 0) {
    int64_t slot = is_ipv4 ? slot_of_ipv4(&ipv4) : slot_of_ipv6(&ipv6);
    int64_t debt = sources.slots[slot].debt - thousand;
    sources.slots[slot].debt = debt < 0 ? 0 : debt;
  }
  pthread_mutex_unlock(&sources.mutex);
}
