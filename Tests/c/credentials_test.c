/// Keys, tokens and calls by name: libqubus against a server with CURVE and a gate of its own. Every
/// error is searched for the secrets of the test.
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "internal.h"
#include "mock.h"

/// Longer than a refusal takes on a busy machine, shorter than the time-out that must not be waited
/// for.
enum { at_once_seconds = 20, patient_milliseconds = 60000 };

static char folder[] = "/tmp/qubus-credentials-XXXXXX";
static char server_public[41], server_secret[41], client_public[41], client_secret[41];
static const char token[] = "eyJhbGciOiJFZERTQSJ9.hidden-token.c2lnbmF0dXJl";

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void check_discreet(const qubus_error *error) {
  const char *secrets[] = {client_secret, server_secret, token};
  for (size_t i = 0; i < 3; i++) {
    char part[13] = "";
    memcpy(part, secrets[i] + 4, sizeof part - 1);
    CHECK(strstr(error->message, part) == NULL && strstr(error->details_json, part) == NULL);
    CHECK(strstr(error->action, part) == NULL && strstr(error->text, part) == NULL);
  }
}

static const char *path_of(const char *name) {
  static char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static const char *write_file(const char *name, const char *text, size_t count, mode_t mode) {
  const char *path = path_of(name);
  unlink(path);
  int file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
  CHECK(file >= 0 && write(file, text, count) == (ssize_t)count && fchmod(file, mode) == 0);
  close(file);
  return path;
}

/// The right key file with another text around the keys; `%s` are public and secret.
static const char *write_pair(const char *name, const char *format, mode_t mode) {
  char text[512];
  snprintf(text, sizeof text, format, client_public, client_secret);
  return write_file(name, text, strlen(text), mode);
}

static const char good_pair[] = "# qubus client key\npublic = \"%s\"\nsecret = \"%s\"\n";

static qubus_client_options right_options(const mock *server) {
  qubus_client_options options = QUBUS_CLIENT_OPTIONS_INIT;
  options.endpoint = server != NULL ? mock_endpoint(server) : "curve://127.0.0.1:9";
  options.connect_timeout_milliseconds = patient_milliseconds;
  options.server_key = server_public;
  options.secret_key = client_secret;
  return options;
}

static qubus_client *open_with(const qubus_client_options *options) {
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_client *client;
  CHECK_OK(qubus_client_open(options, &client, &error), error);
  return client;
}

/// Opening must fail with this code, at once, with `part` in its message and nothing secret.
static void refused(const qubus_client_options *options, int32_t code, const char *part) {
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_client *client;
  double begin = seconds();
  CHECK_CODE(code, qubus_client_open(options, &client, &error), error);
  CHECK(client == NULL && seconds() - begin < at_once_seconds);
  if (strstr(error.message, part) == NULL) fprintf(stderr, "%s\n", error.message);
  CHECK(strstr(error.message, part) != NULL);
  check_discreet(&error);
}

static mock *start_server(void) { return mock_start_curve(server_secret, client_public); }

// Handshakes

static void the_right_keys_open_a_client_that_works(void) {
  mock *server = start_server();
  qubus_client_options options = right_options(server);
  qubus_client *client = open_with(&options);
  qubus_error error = QUBUS_ERROR_INIT;
  CHECK(strncmp(qubus_client_endpoint(client), "curve://127.0.0.1:", 18) == 0);
  CHECK_OK(qubus_client_ping(client, 5000, &error), error);
  CHECK(atomic_load(&server->record.handshakes) == 1);
  // A new connection is made with the same keys.
  mock_restart(server);
  qubus_text *text;
  CHECK_OK(qubus_client_call_json(client, "Health", NULL, 20000, &text, &error), error);
  CHECK(strstr(qubus_text_data(text), "\"state\":\"serving\"") != NULL);
  qubus_text_free(&text);
  CHECK(atomic_load(&server->record.handshakes) >= 2);
  qubus_client_free(&client);
  mock_stop(server);
}

static void a_wrong_server_key_is_said_at_once(void) {
  mock *server = start_server();
  qubus_client_options options = right_options(server);
  char other_public[41], other_secret[41];
  zmq_curve_keypair(other_public, other_secret);
  options.server_key = other_public;
  refused(&options, QUBUS_E_CONNECTION_FAILED, "server_key is not its key");
  CHECK(atomic_load(&server->record.handshakes) == 0);
  mock_stop(server);
}

static void an_unknown_client_key_is_unauthenticated_at_once(void) {
  mock *server = start_server();
  qubus_client_options options = right_options(server);
  char other_public[41], other_secret[41];
  zmq_curve_keypair(other_public, other_secret);
  options.secret_key = other_secret;
  // The public half is what an operator needs to know.
  refused(&options, QUBUS_E_UNAUTHENTICATED, other_public);
  CHECK(atomic_load(&server->record.hellos) == 0);
  mock_stop(server);
}

static void a_gate_in_trouble_is_no_wrong_key(void) {
  mock *server = start_server();
  atomic_store(&server->behaviour.gate_status, 500);
  qubus_client_options options = right_options(server);
  refused(&options, QUBUS_E_CONNECTION_FAILED, "cannot check keys at the moment");
  mock_stop(server);
}

static void what_is_not_encrypted_is_told_apart_from_what_is(void) {
  char plain_endpoint[64];
  snprintf(plain_endpoint, sizeof plain_endpoint, "tcp://127.0.0.1:*");
  mock *plain = mock_start(plain_endpoint);
  char address[280];
  snprintf(address, sizeof address, "curve%s", strstr(mock_endpoint(plain), "://"));
  qubus_client_options options = right_options(NULL);
  options.endpoint = address;
  refused(&options, QUBUS_E_CONNECTION_FAILED, "curve:// endpoint");
  mock_stop(plain);
  mock *server = start_server();
  snprintf(address, sizeof address, "tcp%s", strstr(mock_endpoint(server), "://"));
  options = (qubus_client_options)QUBUS_CLIENT_OPTIONS_INIT;
  options.endpoint = address;
  options.connect_timeout_milliseconds = patient_milliseconds;
  refused(&options, QUBUS_E_CONNECTION_FAILED, "write curve://");
  mock_stop(server);
}

static void a_key_revoked_before_a_reconnect_fails_the_calls_that_wait(void) {
  mock *server = start_server();
  qubus_client_options options = right_options(server);
  qubus_client *client = open_with(&options);
  atomic_store(&server->behaviour.gate_status, 400);
  mock_restart(server);
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_text *text;
  double begin = seconds();
  CHECK_CODE(QUBUS_E_UNAUTHENTICATED,
             qubus_client_call_json(client, "Health", NULL, patient_milliseconds, &text, &error),
             error);
  CHECK(seconds() - begin < at_once_seconds && text == NULL);
  check_discreet(&error);
  // Once it is known again the same client works again.
  atomic_store(&server->behaviour.gate_status, 200);
  int32_t code = QUBUS_E_UNAUTHENTICATED;
  for (int i = 0; code == QUBUS_E_UNAUTHENTICATED && i < 1000; i++) {
    code = qubus_client_call_json(client, "Health", NULL, patient_milliseconds, &text, &error);
  }
  CHECK_OK(code, error);
  qubus_text_free(&text);
  qubus_client_free(&client);
  mock_stop(server);
}

// Endpoints

static void endpoints_are_judged_before_anything_is_sent(void) {
  static const char *const malformed[] = {
      "curve://", "curve://host", "curve://:7400", "curve://host:0", "curve://host:65536",
      "curve://host:7400x", "curve://a;b:7400", "curve://::1:7400", "curve://[::1:7400",
      "curve://host/x:1", "tcp://127.0.0.1"};
  for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
    qubus_client_options options = right_options(NULL);
    options.endpoint = malformed[i];
    refused(&options, QUBUS_E_INVALID_ARGUMENT, "is not HOST:PORT");
  }
  static const char *const foreign[] = {"tcp://192.168.1.2:7400", "tcp://example.org:7400",
                                        "tcp://0.0.0.0:7400", "tcp://[::]:7400",
                                        "tcp://127.evil.example:7400"};
  for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
    qubus_client_options options = QUBUS_CLIENT_OPTIONS_INIT;
    options.endpoint = foreign[i];
    refused(&options, QUBUS_E_INVALID_ARGUMENT, "without encryption");
  }
  qubus_client_options options = QUBUS_CLIENT_OPTIONS_INIT;
  options.endpoint = "http://host:1";
  refused(&options, QUBUS_E_INVALID_ARGUMENT, "ipc://, tcp:// and curve://");
}

static void keys_for_an_endpoint_without_encryption_are_refused(void) {
  qubus_client_options options = QUBUS_CLIENT_OPTIONS_INIT;
  options.endpoint = "ipc:///nonexistent";
  options.server_key = server_public;
  refused(&options, QUBUS_E_INVALID_ARGUMENT, "options.server_key is given");
  options.server_key = NULL;
  options.secret_key = client_secret;
  refused(&options, QUBUS_E_INVALID_ARGUMENT, "options.secret_key is given");
}

// Keys

static void malformed_keys_are_refused_without_being_told(void) {
  qubus_client_options options = right_options(NULL);
  options.secret_key = NULL;
  refused(&options, QUBUS_E_INVALID_KEY, "QUBUS_KEY_FILE; `qubus keygen FILE` makes one");
  char text[64];
  snprintf(text, sizeof text, "%s\n", client_secret);
  options.secret_key = text;
  refused(&options, QUBUS_E_INVALID_KEY, "it has 41 characters");
  snprintf(text, sizeof text, "%s", client_secret);
  text[7] = ',';
  refused(&options, QUBUS_E_INVALID_KEY, "no key of 40 Z85 characters");
  // Five characters that are more than 32 bits.
  snprintf(text, sizeof text, "#####%s", client_secret + 5);
  refused(&options, QUBUS_E_INVALID_KEY, "no key of 40 Z85 characters");
  options = right_options(NULL);
  options.key_file = "/nonexistent";
  refused(&options, QUBUS_E_INVALID_ARGUMENT, "both given");
  options = right_options(NULL);
  options.server_key = NULL;
  refused(&options, QUBUS_E_INVALID_KEY, "needs the server's public key");
  snprintf(text, sizeof text, "%s ", server_secret);  // a secret in the wrong place
  options.server_key = text;
  refused(&options, QUBUS_E_INVALID_KEY, "neither a key of 40 Z85 characters nor the path");
  options.server_key = client_public;
  refused(&options, QUBUS_E_INVALID_KEY, "own public key");
  options.server_key = client_secret;
  refused(&options, QUBUS_E_INVALID_KEY, "client's secret key");
  options = right_options(NULL);
  options.secret_key = NULL;
  options.key_file = client_secret;
  refused(&options, QUBUS_E_INVALID_KEY, "goes into secret_key");
}

static void a_key_file_is_its_owners_alone(void) {
  static const mode_t open_modes[] = {0640, 0604, 0620, 0602, 0610, 0601, 0644, 0666, 0777, 04640};
  qubus_client_options options = right_options(NULL);
  options.secret_key = NULL;
  for (size_t i = 0; i < sizeof open_modes / sizeof open_modes[0]; i++) {
    options.key_file = write_pair("open.key", good_pair, open_modes[i]);
    char part[300];
    snprintf(part, sizeof part, "key file %s has mode %04o", options.key_file,
             (unsigned)open_modes[i]);
    refused(&options, QUBUS_E_INVALID_KEY, part);
  }
  static const mode_t closed_modes[] = {0600, 0400, 0700};
  for (size_t i = 0; i < sizeof closed_modes / sizeof closed_modes[0]; i++) {
    mock *server = start_server();
    qubus_client_options good = right_options(server);
    good.secret_key = NULL;
    good.key_file = write_pair("closed.key", good_pair, closed_modes[i]);
    qubus_client *client = open_with(&good);
    qubus_client_free(&client);
    mock_stop(server);
  }
}

static void what_is_no_key_file_is_refused(void) {
  qubus_client_options options = right_options(NULL);
  options.secret_key = NULL;
  options.key_file = "/nonexistent/client.key";
  refused(&options, QUBUS_E_INVALID_KEY, "/nonexistent/client.key cannot be read: No such file");
  options.key_file = folder;
  refused(&options, QUBUS_E_INVALID_KEY, "is no regular file");
  char path[256];
  snprintf(path, sizeof path, "%s", path_of("pipe"));
  CHECK(mkfifo(path, 0600) == 0);
  options.key_file = path;
  refused(&options, QUBUS_E_INVALID_KEY, "is no regular file");
  static char large[5000];
  memset(large, '#', sizeof large);
  options.key_file = write_file("large.key", large, sizeof large, 0600);
  refused(&options, QUBUS_E_INVALID_KEY, "has 5000 bytes");
  options.key_file = write_file("empty.key", "", 0, 0600);
  refused(&options, QUBUS_E_INVALID_KEY, "has no line secret");
}

/// What a key file says wrongly, and what is said about it.
static void malformed_key_files_name_their_line(void) {
  static const struct {
    const char *format, *part;
  } cases[] = {
      {"public = \"%s\"\nsecret = \"%s\" x\n", "line 2 does not hold a key"},
      {"public = \"%s\"\nsecret = %s\n", "line 2 does not hold a key"},
      {"public = \"%s\"\n\n\nsecret \"%s\"\n", "line 4 is neither a comment nor"},
      {"public = \"%s\"\nSecret = \"%s\"\n", "line 2 is neither a comment nor"},
      {"public = \"%s\"\npublic = \"%s\"\n", "line 2 holds a second public key"},
      {"public = \"%s\"\nsecret = \"%s\n\"\n", "line 2 does not hold a key"},
      {"public = \"%.39s\"\nsecret = \"%s\"\n", "line 1 does not hold a key"},
      {"public = \"%s\"\nsecret = \"%s\"\nsecret = \"\"\n", "line 3 holds a second secret key"},
      {"public = \"%s\"\n# secret = \"%s\"\n", "has no line secret"},
      {"# public = \"%s\"\nsecret = \"%s\"\n", "has no line public"},
      {"\xEF\xBB\xBFpublic = \"%s\"\nsecret = \"%s\"\n", "line 1 is neither a comment nor"},
  };
  qubus_client_options options = right_options(NULL);
  options.secret_key = NULL;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    options.key_file = write_pair("bad.key", cases[i].format, 0600);
    refused(&options, QUBUS_E_INVALID_KEY, cases[i].part);
  }
  static const char nul[] = "public\0= \"x\"\n";
  options.key_file = write_file("bad.key", nul, sizeof nul - 1, 0600);
  refused(&options, QUBUS_E_INVALID_KEY, "line 1 is neither a comment nor");
  // Two right keys that do not belong together.
  char text[256];
  snprintf(text, sizeof text, "public = \"%s\"\nsecret = \"%s\"\n", server_public, client_secret);
  options.key_file = write_file("bad.key", text, strlen(text), 0600);
  refused(&options, QUBUS_E_INVALID_KEY, "the public key of line 1 is not that of the secret key");
}

static void key_files_are_read_however_an_editor_leaves_them(void) {
  static const char *const formats[] = {
      "public=\"%s\"\nsecret=\"%s\"", "\r\n  public  =  \"%s\"  \r\n\tsecret = \"%s\"\r\n",
      "#a\n\n# b\npublic = \"%s\"\n#\nsecret = \"%s\"\n\n"};
  for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
    uint8_t public_key[32], secret_key[32], expected[32];
    qubus_error error = QUBUS_ERROR_INIT;
    const char *path = write_pair("edited.key", formats[i], 0600);
    CHECK_OK(key_read_pair(path, public_key, secret_key, &error), error);
    CHECK(zmq_z85_decode(expected, client_secret) && memcmp(expected, secret_key, 32) == 0);
    CHECK(zmq_z85_decode(expected, client_public) && memcmp(expected, public_key, 32) == 0);
  }
}

static void a_server_key_comes_as_text_or_from_a_file(void) {
  uint8_t key[32], expected[32];
  qubus_error error = QUBUS_ERROR_INIT;
  zmq_z85_decode(expected, server_public);
  char text[256];
  static const char *const formats[] = {"%s", "%s\n", "# of the lab\n%s\n", "public = \"%s\"\n"};
  for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
    snprintf(text, sizeof text, formats[i], server_public);
    // It is public: everybody may read it.
    const char *path = write_file("server.pub", text, strlen(text), 0644);
    memset(key, 0, sizeof key);
    CHECK_OK(key_read_server(path, "it", key, &error), error);
    CHECK(memcmp(key, expected, sizeof key) == 0);
  }
  const char *pair = write_pair("pair.key", good_pair, 0600);
  CHECK_CODE(QUBUS_E_INVALID_KEY, key_read_server(pair, "it", key, &error), error);
  CHECK(strstr(error.message, "line 3 holds a secret key") != NULL);
  check_discreet(&error);
  const char *empty = write_file("server.pub", "# nothing\n", 10, 0644);
  CHECK_CODE(QUBUS_E_INVALID_KEY, key_read_server(empty, "it", key, &error), error);
  // An absolute path is one, even if it could be a key as well.
  char exact[64];
  memset(exact, 'k', sizeof exact);
  memcpy(exact, folder, strlen(folder));
  exact[strlen(folder)] = '/';
  exact[40] = 0;
  CHECK(key_parse(exact, 40, key));
  int written = open(exact, O_WRONLY | O_CREAT | O_EXCL, 0644);
  CHECK(written >= 0 && write(written, server_public, 40) == 40);
  close(written);
  CHECK_OK(key_read_server(exact, "it", key, &error), error);
  CHECK(zmq_z85_decode(expected, server_public) && memcmp(key, expected, sizeof key) == 0);
  // A file of the name of a key is not read: it may be somebody else's.
  CHECK(chdir(folder) == 0);
  char name[41];
  memset(name, 'a', 40);
  name[40] = 0;
  int file = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  CHECK(file >= 0 && write(file, server_public, 40) == 40);
  close(file);
  CHECK_OK(key_read_server(name, "it", key, &error), error);
  CHECK(zmq_z85_decode(expected, name) != NULL && memcmp(key, expected, sizeof key) == 0);
  unlink(name);
}

static void the_environment_gives_what_the_options_leave_out(void) {
  mock *server = start_server();
  setenv("QUBUS_SERVER_KEY", server_public, 1);
  setenv("QUBUS_KEY_FILE", write_pair("env.key", good_pair, 0600), 1);
  setenv("QUBUS_TOKEN", token, 1);
  qubus_client_options options = QUBUS_CLIENT_OPTIONS_INIT;
  options.endpoint = mock_endpoint(server);
  qubus_client *client = open_with(&options);
  qubus_text *text;
  qubus_error error = QUBUS_ERROR_INIT;
  CHECK_OK(qubus_client_call_json(client, "Health", "{}", 5000, &text, &error), error);
  CHECK(strcmp(server->record.token, token) == 0);
  qubus_text_free(&text);
  qubus_client_free(&client);
  // A program that was compiled before the options had them.
  options.struct_size = offsetof(qubus_client_options, server_key);
  options.server_key = "what lies behind an older struct";
  client = open_with(&options);
  qubus_client_free(&client);
  // The options win, and what is wrong in the environment is named by its variable.
  setenv("QUBUS_TOKEN", "with space", 1);
  options = right_options(server);
  refused(&options, QUBUS_E_INVALID_ARGUMENT, "QUBUS_TOKEN has a character");
  options.token = token;
  setenv("QUBUS_SERVER_KEY", "x", 1);
  setenv("QUBUS_KEY_FILE", "/nonexistent", 1);
  client = open_with(&options);
  qubus_client_free(&client);
  options.server_key = NULL;
  refused(&options, QUBUS_E_INVALID_KEY, "QUBUS_SERVER_KEY is neither");
  mock_stop(server);
  // Keys of the environment do not hinder a plain endpoint.
  char plain_endpoint[256];
  snprintf(plain_endpoint, sizeof plain_endpoint, "ipc://%s", path_of("plain.sock"));
  server = mock_start(plain_endpoint);
  options = (qubus_client_options)QUBUS_CLIENT_OPTIONS_INIT;
  options.endpoint = plain_endpoint;
  options.token = token;
  client = open_with(&options);
  qubus_client_free(&client);
  mock_stop(server);
  unsetenv("QUBUS_SERVER_KEY");
  unsetenv("QUBUS_KEY_FILE");
  unsetenv("QUBUS_TOKEN");
}

static void a_generated_key_is_private_and_new(void) {
  char key[QUBUS_KEY_CAPACITY], again[QUBUS_KEY_CAPACITY], path[256];
  qubus_error error = QUBUS_ERROR_INIT;
  snprintf(path, sizeof path, "%s", path_of("made.key"));
  mode_t mask = umask(0);
  CHECK_OK(qubus_key_generate(path, key, &error), error);
  umask(mask);
  struct stat told;
  CHECK(stat(path, &told) == 0 && (told.st_mode & 07777) == 0600 && strlen(key) == 40);
  uint8_t public_key[32], secret_key[32], expected[32];
  CHECK_OK(key_read_pair(path, public_key, secret_key, &error), error);
  CHECK(zmq_z85_decode(expected, key) != NULL && memcmp(expected, public_key, 32) == 0);
  CHECK_CODE(QUBUS_E_INVALID_ARGUMENT, qubus_key_generate(path, again, &error), error);
  CHECK(strstr(error.message, "never overwritten") != NULL && again[0] == 0);
  char link[256];
  snprintf(link, sizeof link, "%s", path_of("link.key"));
  CHECK(symlink("elsewhere", link) == 0);
  CHECK_CODE(QUBUS_E_INVALID_ARGUMENT, qubus_key_generate(link, again, &error), error);
  CHECK(access(path_of("elsewhere"), F_OK) != 0);
  CHECK_CODE(QUBUS_E_INVALID_ARGUMENT, qubus_key_generate("/nonexistent/k", again, &error), error);
  CHECK(strstr(error.message, "No such file") != NULL);
  CHECK_CODE(QUBUS_E_INVALID_ARGUMENT, qubus_key_generate(NULL, again, &error), error);
  CHECK_CODE(QUBUS_E_INVALID_ARGUMENT, qubus_key_generate(path_of("x"), NULL, &error), error);
  CHECK_OK(qubus_key_generate(path_of("second.key"), again, &error), error);
  CHECK(strcmp(key, again) != 0);
}

static void secrets_are_wiped_with_the_client(void) {
  static qubus_client client;
  static char copy[sizeof token];
  memset(client.secret_key, 0xA5, sizeof client.secret_key);
  memcpy(copy, token, sizeof token);
  client.token = strdup(copy);
  client.token_bytes = strlen(copy);
  credentials_destroy(&client);
  for (size_t i = 0; i < sizeof client.secret_key; i++) CHECK(client.secret_key[i] == 0);
  CHECK(client.token == NULL && client.token_bytes == 0 && credentials_token(&client).len == 0);
}

// Tokens

static void call(qubus_client *client, const mock *server, const char *expected_token) {
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_text *text;
  CHECK_OK(qubus_client_call_json(client, "Health", NULL, 5000, &text, &error), error);
  qubus_text_free(&text);
  CHECK(strcmp(server->record.token_method, "Health") == 0);
  CHECK(strcmp(server->record.token, expected_token) == 0);
}

static void a_token_goes_with_calls_and_steps_and_is_renewed(void) {
  char endpoint[256];
  snprintf(endpoint, sizeof endpoint, "ipc://%s", path_of("tokens.sock"));
  mock *server = mock_start(endpoint);
  qubus_client_options options = QUBUS_CLIENT_OPTIONS_INIT;
  options.endpoint = endpoint;
  options.token = token;
  qubus_client *client = open_with(&options);
  CHECK(atomic_load(&server->record.hello_tokens) == 0);
  call(client, server, token);
  static qubus_pauli_term terms[2] = {{"ZZ", 1.0}, {"XI", 0.5}};
  qubus_observable observables[2] = {QUBUS_OBSERVABLE_INIT, QUBUS_OBSERVABLE_INIT};
  for (int i = 0; i < 2; i++) {
    observables[i].terms = &terms[i];
    observables[i].term_count = 1;
  }
  qubus_session_spec spec = QUBUS_SESSION_SPEC_INIT;
  spec.program = "input float a; input float b; qubit[2] q;";
  spec.observables = observables;
  spec.observable_count = 2;
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_session *session;
  CHECK_OK(qubus_session_open(client, &spec, 5000, &session, &error), error);
  CHECK(strcmp(server->record.token, token) == 0);
  // The longest token there is, with the hand-written step too.
  static char longest[token_maximum + 2];
  memset(longest, 'x', token_maximum);
  const char *const tokens[] = {token, longest, ""};
  for (size_t i = 0; i < 3; i++) {
    CHECK_OK(qubus_client_set_token(client, tokens[i], &error), error);
    double parameters[2] = {1, 2}, values[2];
    qubus_step step = QUBUS_STEP_INIT;
    step.parameters = parameters;
    step.values = values;
    step.values_capacity = 2;
    CHECK_OK(qubus_session_step(session, &step, 5000, &error), error);
    CHECK(strcmp(server->record.token_method, "Step") == 0);
    CHECK(strcmp(server->record.token, tokens[i]) == 0);
    call(client, server, tokens[i]);
  }
  longest[token_maximum] = 'x';
  CHECK_CODE(QUBUS_E_INVALID_ARGUMENT, qubus_client_set_token(client, longest, &error), error);
  CHECK_CODE(QUBUS_E_INVALID_ARGUMENT, qubus_client_set_token(client, "a\nb", &error), error);
  CHECK(strstr(error.message, "byte 1 of 3") != NULL);
  CHECK_CODE(QUBUS_E_INVALID_ARGUMENT, qubus_client_set_token(NULL, token, &error), error);
  CHECK_OK(qubus_client_set_token(client, token, &error), error);
  CHECK_OK(qubus_client_set_token(client, NULL, &error), error);
  call(client, server, "");
  qubus_session_free(&session);
  qubus_client_free(&client);
  mock_stop(server);
}

// Calls by name

static void calls_by_name_answer_and_are_refused(void) {
  char endpoint[256];
  snprintf(endpoint, sizeof endpoint, "ipc://%s", path_of("calls.sock"));
  mock *server = mock_start(endpoint);
  qubus_client_options options = QUBUS_CLIENT_OPTIONS_INIT;
  options.endpoint = endpoint;
  qubus_client *client = open_with(&options);
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_text *text;
  CHECK_OK(qubus_client_call_json(client, "GetJob", "{\"job_id\":\"a\\u00e9\\/b\"}", 5000, &text,
                                  &error),
           error);
  CHECK(strstr(qubus_text_data(text), "\"job_id\":\"a\xC3\xA9/b\"") != NULL);
  qubus_text_free(&text);
  static const struct {
    const char *method, *request, *part;
  } cases[] = {
      {"GetJob", "{\"id\":1}", "GetJob: GetJobRequest has no field \"id\""},
      {"GetJob", "[]", "an object is expected"},
      {"GetJob", "", "an object is expected"},
      {"ListJobs", "{\"page_size\":true}", "page_size: a whole number is expected"},
      {"Nothing", "{}", "method \"Nothing\" is none"},
      {"", "{}", "method \"\" is none"},
      {"Step", "{}", "functions of its own"},
      {"OpenSession", "{}", "functions of its own"},
      {NULL, "{}", "method is NULL"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    CHECK_CODE(QUBUS_E_INVALID_ARGUMENT,
               qubus_client_call_json(client, cases[i].method, cases[i].request, 5000, &text,
                                      &error),
               error);
    if (strstr(error.message, cases[i].part) == NULL) fprintf(stderr, "%s\n", error.message);
    CHECK(text == NULL && strstr(error.message, cases[i].part) != NULL);
  }
  // What is known here and not at the server.
  CHECK_CODE(QUBUS_E_UNKNOWN_METHOD,
             qubus_client_call_json(client, "ListDevices", NULL, 5000, &text, &error), error);
  size_t large = (16 << 20) + 1;
  char *request = malloc(large + 1);
  memset(request, ' ', large);
  request[large] = 0;
  CHECK_CODE(QUBUS_E_MESSAGE_TOO_LARGE,
             qubus_client_call_json(client, "GetJob", request, 5000, &text, &error), error);
  free(request);
  qubus_call *started;
  CHECK_OK(qubus_call_json_start(client, "Health", NULL, 5000, 7, &started, &error), error);
  CHECK_OK(qubus_call_wait(started, 5000, &error), error);
  CHECK_OK(qubus_call_take_text(started, &text, &error), error);
  qubus_text_free(&text);
  qubus_call_free(&started);
  CHECK_CODE(QUBUS_E_INVALID_ARGUMENT,
             qubus_call_json_start(client, "Health", NULL, 5000, 0, NULL, &error), error);
  qubus_client_free(&client);
  mock_stop(server);
}

static void a_call_of_unknown_fate_is_repeated_only_when_it_reads(void) {
  char endpoint[256];
  snprintf(endpoint, sizeof endpoint, "ipc://%s", path_of("fate.sock"));
  mock *server = mock_start(endpoint);
  qubus_client_options options = QUBUS_CLIENT_OPTIONS_INIT;
  options.endpoint = endpoint;
  qubus_client *client = open_with(&options);
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_call *reading, *writing;
  atomic_store(&server->behaviour.is_silent, 1);
  CHECK_OK(qubus_call_json_start(client, "GetJob", "{\"job_id\":\"j\"}", 20000, 0, &reading, &error),
           error);
  CHECK_OK(qubus_call_json_start(client, "Submit", "{\"job\":{}}", 20000, 0, &writing, &error),
           error);
  // What is still on its way would be answered.
  while (atomic_load(&server->record.unanswered) < 2) sched_yield();
  atomic_store(&server->behaviour.is_silent, 0);
  mock_restart(server);
  CHECK_OK(qubus_call_wait(reading, 20000, &error), error);
  CHECK_CODE(QUBUS_E_CONNECTION_LOST, qubus_call_wait(writing, 20000, &error), error);
  CHECK(strstr(error.message, "is unknown") != NULL);
  qubus_call_free(&reading);
  qubus_call_free(&writing);
  qubus_client_free(&client);
  mock_stop(server);
}

static void remove_folder(void) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf '%s'", folder);
  if (system(command) != 0) fprintf(stderr, "%s is left\n", folder);
}

int main(int argc, char **argv) {
  CHECK(sizeof(qubus_client_options) == 17 * 8);
  CHECK(mkdtemp(folder) != NULL);
  atexit(remove_folder);
  unsetenv("QUBUS_SERVER_KEY");
  unsetenv("QUBUS_KEY_FILE");
  unsetenv("QUBUS_TOKEN");
  CHECK(zmq_curve_keypair(server_public, server_secret) == 0);
  CHECK(zmq_curve_keypair(client_public, client_secret) == 0);
  RUN(the_right_keys_open_a_client_that_works);
  RUN(a_wrong_server_key_is_said_at_once);
  RUN(an_unknown_client_key_is_unauthenticated_at_once);
  RUN(a_gate_in_trouble_is_no_wrong_key);
  RUN(what_is_not_encrypted_is_told_apart_from_what_is);
  RUN(a_key_revoked_before_a_reconnect_fails_the_calls_that_wait);
  RUN(endpoints_are_judged_before_anything_is_sent);
  RUN(keys_for_an_endpoint_without_encryption_are_refused);
  RUN(malformed_keys_are_refused_without_being_told);
  RUN(a_key_file_is_its_owners_alone);
  RUN(what_is_no_key_file_is_refused);
  RUN(malformed_key_files_name_their_line);
  RUN(key_files_are_read_however_an_editor_leaves_them);
  RUN(a_server_key_comes_as_text_or_from_a_file);
  RUN(the_environment_gives_what_the_options_leave_out);
  RUN(a_generated_key_is_private_and_new);
  RUN(secrets_are_wiped_with_the_client);
  RUN(a_token_goes_with_calls_and_steps_and_is_renewed);
  RUN(calls_by_name_answer_and_are_refused);
  RUN(a_call_of_unknown_fate_is_repeated_only_when_it_reads);
  return 0;
}
