/// Tokens of JSON text (RFC 8259). Internal to CQubusProto.
///
/// Functions that can fail return NULL, or a sentence about what is wrong at the cursor; none repeats
/// text of the input, which may be secret.
#ifndef QUBUS_JSON_SCAN_H
#define QUBUS_JSON_SCAN_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

typedef struct json_cursor {
  const char *start, *at, *end;
} json_cursor;

/// A string between its quotes, as it stands in the text, or a number.
typedef struct json_span {
  const char *at;
  size_t count;
} json_span;

/// What a value begins with, after white space: `{ [ "`, `0` for a number, `t`, `f`, `n`, or 0 for
/// anything else and for the end.
char json_peek(json_cursor *cursor);
/// Takes one character of the grammar after white space; 0 when another one stands there.
int32_t json_take(json_cursor *cursor, char character);
/// Takes a word; 0 when another text stands there.
int32_t json_take_word(json_cursor *cursor, const char *word);
/// Takes a string without decoding it.
const char *json_take_string(json_cursor *cursor, json_span *out);
/// Decodes a string into `out`, which has room for `span.count` + 1 bytes; ends it with NUL. Refuses
/// escapes that are none, lone surrogates, U+0000 and bytes that are not UTF-8.
const char *json_decode_string(json_span span, char *out, size_t *count);
/// Takes a number, of at most `json_number_maximum` characters.
enum { json_number_maximum = 128 };
const char *json_take_number(json_cursor *cursor, json_span *out);
/// Reads `-` and digits as a whole number; 0 when it is none or has more than 64 bits.
int32_t json_integer(json_span digits, uint64_t *magnitude, int32_t *is_negative);
/// Reads a number whatever the locale; 0 when it is too large for a double.
int32_t json_double(json_span number, double *out);

/// Bytes of one element of a repeated field.
size_t json_element_size(ProtobufCType type);

#endif
