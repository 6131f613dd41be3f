#include "internal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum {
  path_maximum = sizeof(((struct sockaddr_un *)0)->sun_path) - 1,
  host_maximum = 253,  // RFC 1035, without the final dot
};

int32_t endpoint_is_curve(const char *endpoint) { return strncmp(endpoint, "curve://", 8) == 0; }

/// Copies the host of `address`, HOST:PORT, without the brackets of an IPv6 address; 0 when it is
/// none. An interface before the host ("eth0;HOST") is not understood here.
static int32_t split_address(const char *address, char host[host_maximum + 1]) {
  const char *colon = strrchr(address, ':');
  if (colon == NULL || colon == address) return 0;
  char *end;
  unsigned long port = strtoul(colon + 1, &end, 10);
  if (colon[1] < '0' || colon[1] > '9' || *end != 0 || port < 1 || port > 65535) return 0;
  size_t count = (size_t)(colon - address);
  int32_t is_bracketed = address[0] == '[';
  if (is_bracketed && (count < 3 || address[count - 1] != ']')) return 0;
  if (is_bracketed) address++, count -= 2;
  if (count > host_maximum) return 0;
  memcpy(host, address, count);
  host[count] = 0;
  const char *strange = is_bracketed ? ";/[] " : ";/[] :";
  return host[strcspn(host, strange)] == 0;
}

static int32_t is_loopback(const char *host) {
  struct in_addr v4;
  struct in6_addr v6;
  if (strcmp(host, "localhost") == 0) return 1;
  if (inet_pton(AF_INET, host, &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
  return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

int32_t endpoint_loopback(
    const char *endpoint, struct sockaddr_storage *out, size_t *length) {
  char host[host_maximum + 1];
  const char *address = strstr(endpoint, "://") + 3;
  struct sockaddr_in v4 = {.sin_family = AF_INET};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
  if (!split_address(address, host) || !is_loopback(host)) return 0;
  uint16_t port = htons((uint16_t)strtoul(strrchr(address, ':') + 1, NULL, 10));
  v4.sin_port = v6.sin6_port = port;
  if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
    memcpy(out, &v4, *length = sizeof v4);
    return 1;
  }
  if (inet_pton(AF_INET6, host, &v6.sin6_addr) != 1) return 0;
  memcpy(out, &v6, *length = sizeof v6);
  return 1;
}

/// Judges tcp:// and curve://.
static int32_t check_address(const char *endpoint, qubus_error *error) {
  char host[host_maximum + 1];
  if (!split_address(strstr(endpoint, "://") + 3, host)) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT,
                     "endpoint \"%.400s\" is not HOST:PORT after its ://, with a port from 1 to "
                     "65535",
                     endpoint);
  }
  if (!endpoint_is_curve(endpoint) && !is_loopback(host)) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT,
                     "endpoint \"%.400s\" would go over a network without encryption; tcp:// is for "
                     "this machine (127.0.0.1, [::1], localhost), curve:// for others",
                     endpoint);
  }
  return QUBUS_OK;
}

static char *check_endpoint(const char *endpoint, int32_t *code, qubus_error *error) {
  const char *path = strncmp(endpoint, "ipc://", 6) == 0 ? endpoint + 6 : NULL;
  if (path == NULL && strncmp(endpoint, "tcp://", 6) != 0 && !endpoint_is_curve(endpoint)) {
    *code = error_set(error, QUBUS_E_INVALID_ARGUMENT,
                      "endpoint \"%.400s\" begins with none of ipc://, tcp:// and curve://",
                      endpoint);
    return NULL;
  }
  if (path == NULL) {
    *code = check_address(endpoint, error);
    if (*code != QUBUS_OK) return NULL;
  }
  if (path != NULL && (path[0] == 0 || strlen(path) > path_maximum)) {
    *code = error_set(error, QUBUS_E_INVALID_ARGUMENT,
                      "the socket path of endpoint \"%s\" has %zu bytes; it must have from 1 to %d",
                      endpoint, strlen(path), (int)path_maximum);
    return NULL;
  }
  char *copy = strdup(endpoint);
  if (copy == NULL) *code = error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory for an endpoint");
  return copy;
}

/// Writes the candidate socket path of rank `index`; 0 when the environment gives none.
static int32_t candidate(int32_t index, char *out, size_t capacity) {
  const char *runtime = getenv("XDG_RUNTIME_DIR");
  const char *state = getenv("XDG_STATE_HOME");
  const char *home = getenv("HOME");
  int n = -1;
  if (index == 0 && runtime != NULL && runtime[0]) {
    n = snprintf(out, capacity, "%s/qubus/qubus.sock", runtime);
  } else if (index == 1) {
    n = snprintf(out, capacity, "/run/qubus/qubus.sock");
  } else if (index == 2 && state != NULL && state[0]) {
    n = snprintf(out, capacity, "%s/qubus/qubus.sock", state);
  } else if (index == 2 && home != NULL && home[0]) {
    n = snprintf(out, capacity, "%s/.local/state/qubus/qubus.sock", home);
  }
  return n > 0 && (size_t)n < capacity;
}

char *client_resolve_endpoint(const char *given, int32_t *code, qubus_error *error) {
  if (given == NULL || given[0] == 0) given = getenv("QUBUS_ENDPOINT");
  if (given != NULL && given[0] != 0) return check_endpoint(given, code, error);
  char path[512], endpoint[520], tried[1024] = "";
  for (int32_t i = 0; i < 3; i++) {
    if (!candidate(i, path, sizeof path)) continue;
    if (access(path, F_OK) == 0) {
      snprintf(endpoint, sizeof endpoint, "ipc://%s", path);
      return check_endpoint(endpoint, code, error);
    }
    size_t used = strlen(tried);
    snprintf(tried + used, sizeof tried - used, "%s%s", used ? ", " : "", path);
  }
  *code = error_set(error, QUBUS_E_CONNECTION_FAILED,
                    "no endpoint was given, QUBUS_ENDPOINT is not set, and no daemon has a socket at "
                    "%s",
                    tried);
  return NULL;
}
