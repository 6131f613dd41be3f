/// Keys and tokens of a client. No text made here holds a secret: public keys, paths and lengths only.
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int32_t is_given(const char *text) { return text != NULL && text[0] != 0; }

static const char *from_environment(const char *name) {
  const char *value = getenv(name);
  return is_given(value) ? value : NULL;
}

// Keys

static int32_t read_server_key(
    qubus_client *client, const qubus_client_options *options, qubus_error *error) {
  if (is_given(options->server_key)) {
    return key_read_server(options->server_key, "options.server_key", client->server_key, error);
  }
  const char *given = from_environment("QUBUS_SERVER_KEY");
  if (given != NULL) {
    return key_read_server(given, "QUBUS_SERVER_KEY", client->server_key, error);
  }
  return error_set(error, QUBUS_E_INVALID_KEY,
                   "%s needs the server's public key, in options.server_key or QUBUS_SERVER_KEY; its "
                   "operator tells it",
                   client->endpoint);
}

static int32_t read_own_key(
    qubus_client *client, const qubus_client_options *options, qubus_error *error) {
  if (is_given(options->secret_key)) {
    if (is_given(options->key_file)) {
      return error_set(error, QUBUS_E_INVALID_ARGUMENT,
                       "options.key_file and options.secret_key are both given; one is enough");
    }
    if (!key_parse(options->secret_key, strlen(options->secret_key), client->secret_key)) {
      return error_set(error, QUBUS_E_INVALID_KEY,
                       "options.secret_key is no key of 40 Z85 characters; it has %zu characters",
                       strlen(options->secret_key));
    }
    if (!key_public(client->secret_key, client->public_key)) {
      return error_set(error, QUBUS_E_INVALID_KEY, "this libzmq was built without CURVE");
    }
    return QUBUS_OK;
  }
  const char *path = is_given(options->key_file) ? options->key_file
                                                 : from_environment("QUBUS_KEY_FILE");
  if (path != NULL) return key_read_pair(path, client->public_key, client->secret_key, error);
  return error_set(error, QUBUS_E_INVALID_KEY,
                   "%s needs a key of this client, in options.key_file, options.secret_key or "
                   "QUBUS_KEY_FILE; `qubus keygen FILE` makes one",
                   client->endpoint);
}

static int32_t check_keys(const qubus_client *client, qubus_error *error) {
  if (memcmp(client->server_key, client->public_key, key_bytes) == 0) {
    return error_set(error, QUBUS_E_INVALID_KEY,
                     "the server key is this client's own public key; give the server's");
  }
  if (memcmp(client->server_key, client->secret_key, key_bytes) == 0) {
    return error_set(error, QUBUS_E_INVALID_KEY,
                     "the server key is this client's secret key; give the server's public key");
  }
  return QUBUS_OK;
}

// Tokens

static int32_t check_token(const char *token, const char *source, qubus_error *error) {
  size_t count = strlen(token);
  if (count > token_maximum) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT, "%s has %zu bytes; a token has at most %d",
                     source, count, token_maximum);
  }
  for (size_t i = 0; i < count; i++) {
    if (token[i] > ' ' && token[i] <= '~') continue;
    return error_set(error, QUBUS_E_INVALID_ARGUMENT,
                     "%s has a character at byte %zu of %zu that tokens do not have, for example a "
                     "line's end",
                     source, i, count);
  }
  return QUBUS_OK;
}

static void drop_token(qubus_client *client) {
  if (client->token != NULL) explicit_bzero(client->token, client->token_bytes);
  free(client->token);
  client->token = NULL;
  client->token_bytes = 0;
}

ProtobufCBinaryData credentials_token(const qubus_client *client) {
  return (ProtobufCBinaryData){client->token_bytes, (uint8_t *)client->token};
}

int32_t qubus_client_set_token(qubus_client *client, const char *token, qubus_error *error) {
  int32_t code = client_check(client, error);
  if (code == QUBUS_OK && is_given(token)) code = check_token(token, "token", error);
  if (code != QUBUS_OK) return code;
  char *copy = is_given(token) ? strdup(token) : NULL;
  if (copy == NULL && is_given(token)) {
    return error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory for a token");
  }
  pthread_mutex_lock(&client->mutex);
  drop_token(client);
  client->token = copy;
  client->token_bytes = copy != NULL ? strlen(copy) : 0;
  pthread_mutex_unlock(&client->mutex);
  return QUBUS_OK;
}

// Both

/// Keys that were given for an endpoint without encryption: somebody expects it to be encrypted.
static int32_t refuse_unused_keys(
    const qubus_client *client, const qubus_client_options *options, qubus_error *error) {
  const char *unused = is_given(options->server_key) ? "server_key"
                       : is_given(options->key_file) ? "key_file"
                       : is_given(options->secret_key) ? "secret_key"
                                                       : NULL;
  if (unused == NULL) return QUBUS_OK;
  return error_set(error, QUBUS_E_INVALID_ARGUMENT,
                   "options.%s is given, but %s is not encrypted; keys are for curve://HOST:PORT",
                   unused, client->endpoint);
}

int32_t credentials_read(
    qubus_client *client, const qubus_client_options *options, qubus_error *error) {
  const char *token = options->token, *source = "options.token";
  if (!is_given(token)) {
    token = from_environment("QUBUS_TOKEN");
    source = "QUBUS_TOKEN";
  }
  if (token != NULL) {
    int32_t code = check_token(token, source, error);
    if (code != QUBUS_OK) return code;
    client->token = strdup(token);
    if (client->token == NULL) {
      return error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory for a token");
    }
    client->token_bytes = strlen(token);
  }
  client->has_keys = endpoint_is_curve(client->endpoint);
  if (!client->has_keys) return refuse_unused_keys(client, options, error);
  int32_t code = read_server_key(client, options, error);
  if (code == QUBUS_OK) code = read_own_key(client, options, error);
  return code == QUBUS_OK ? check_keys(client, error) : code;
}

void credentials_destroy(qubus_client *client) {
  explicit_bzero(client->secret_key, sizeof client->secret_key);
  drop_token(client);
}

// Refused handshakes

int32_t credentials_explain(
    const qubus_client *client, uint16_t event, uint32_t value, char *out, size_t capacity) {
  if (!client->has_keys) {
    snprintf(out, capacity,
             "the handshake failed; if what listens there is encrypted, write curve:// and give keys");
    return QUBUS_E_CONNECTION_FAILED;
  }
  if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH && value == 400) {
    char key[QUBUS_KEY_CAPACITY];
    key_text(client->public_key, key);
    snprintf(out, capacity,
             "the server does not accept this client's key; check that an operator added its public "
             "half, %s, to a principal and that it was not revoked",
             key);
    return QUBUS_E_UNAUTHENTICATED;
  }
  if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) {
    snprintf(out, capacity, "the server cannot check keys at the moment (ZAP status %u)", value);
  } else if (event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL) {
    snprintf(out, capacity,
             "the CURVE handshake failed (protocol error 0x%x); check that the port is the server's "
             "curve:// endpoint and that server_key is its key",
             value);
  } else {
    snprintf(out, capacity,
             "the server ended the CURVE handshake without a word, as it does when server_key is not "
             "its key; compare the two, and check that the port is its curve:// endpoint");
  }
  return QUBUS_E_CONNECTION_FAILED;
}
