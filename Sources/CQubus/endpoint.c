#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum { path_maximum = sizeof(((struct sockaddr_un *)0)->sun_path) - 1 };

static char *check_endpoint(const char *endpoint, int32_t *code, qubus_error *error) {
  const char *path = strncmp(endpoint, "ipc://", 6) == 0 ? endpoint + 6 : NULL;
  if (path == NULL && strncmp(endpoint, "tcp://", 6) != 0) {
    *code = error_set(error, QUBUS_E_INVALID_ARGUMENT,
                      "endpoint \"%s\" begins with neither ipc:// nor tcp://", endpoint);
    return NULL;
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
