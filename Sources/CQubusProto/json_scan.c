#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "json_scan.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "qubus_wire.h"

static void skip_space(json_cursor *cursor) {
  while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\n' ||
                                      *cursor->at == '\t' || *cursor->at == '\r')) {
    cursor->at++;
  }
}

char json_peek(json_cursor *cursor) {
  skip_space(cursor);
  if (cursor->at == cursor->end) return 0;
  char c = *cursor->at;
  if (c == '-' || (c >= '0' && c <= '9')) return '0';
  return c == '{' || c == '[' || c == '"' || c == 't' || c == 'f' || c == 'n' ? c : 0;
}

int32_t json_take(json_cursor *cursor, char character) {
  skip_space(cursor);
  if (cursor->at == cursor->end || *cursor->at != character) return 0;
  cursor->at++;
  return 1;
}

int32_t json_take_word(json_cursor *cursor, const char *word) {
  skip_space(cursor);
  size_t count = strlen(word);
  if ((size_t)(cursor->end - cursor->at) < count || memcmp(cursor->at, word, count) != 0) return 0;
  cursor->at += count;
  return 1;
}

// Strings

const char *json_take_string(json_cursor *cursor, json_span *out) {
  if (!json_take(cursor, '"')) return "a string is expected";
  out->at = cursor->at;
  for (; cursor->at < cursor->end; cursor->at++) {
    unsigned char c = (unsigned char)*cursor->at;
    if (c == '"') {
      out->count = (size_t)(cursor->at++ - out->at);
      return NULL;
    }
    if (c < 0x20) return "a control character stands in a string";
    if (c == '\\' && ++cursor->at == cursor->end) break;
  }
  return "a string has no end";
}

static int32_t hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Four hex digits at `at`; -1 when there are fewer.
static int32_t hex_unit(const char *at, const char *end) {
  if (end - at < 4) return -1;
  int32_t unit = 0;
  for (int i = 0; i < 4; i++) {
    int32_t digit = hex_digit(at[i]);
    if (digit < 0) return -1;
    unit = unit << 4 | digit;
  }
  return unit;
}

static char *put_scalar(char *out, uint32_t scalar) {
  if (scalar < 0x80) {
    *out++ = (char)scalar;
  } else if (scalar < 0x800) {
    *out++ = (char)(0xC0 | scalar >> 6);
    *out++ = (char)(0x80 | (scalar & 0x3F));
  } else if (scalar < 0x10000) {
    *out++ = (char)(0xE0 | scalar >> 12);
    *out++ = (char)(0x80 | (scalar >> 6 & 0x3F));
    *out++ = (char)(0x80 | (scalar & 0x3F));
  } else {
    *out++ = (char)(0xF0 | scalar >> 18);
    *out++ = (char)(0x80 | (scalar >> 12 & 0x3F));
    *out++ = (char)(0x80 | (scalar >> 6 & 0x3F));
    *out++ = (char)(0x80 | (scalar & 0x3F));
  }
  return out;
}

/// Reads what follows `\u`, a second unit of a pair included; returns where it ends, NULL when it is
/// no character.
static const char *read_unicode(const char *at, const char *end, uint32_t *out) {
  int32_t unit = hex_unit(at, end);
  if (unit <= 0 || (unit >= 0xDC00 && unit <= 0xDFFF)) return NULL;
  at += 4;
  *out = (uint32_t)unit;
  if (unit < 0xD800 || unit > 0xDBFF) return at;
  if (end - at < 2 || at[0] != '\\' || at[1] != 'u') return NULL;
  int32_t low = hex_unit(at + 2, end);
  if (low < 0xDC00 || low > 0xDFFF) return NULL;
  *out = 0x10000 + ((uint32_t)(unit - 0xD800) << 10 | (uint32_t)(low - 0xDC00));
  return at + 6;
}

const char *json_decode_string(json_span span, char *out, size_t *count) {
  const char *at = span.at, *end = at + span.count;
  char *to = out;
  while (at < end) {
    if (*at != '\\') {
      if (*at == 0) return "a string holds a NUL";
      *to++ = *at++;
      continue;
    }
    // `json_take_string` saw a character after every backslash.
    static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    char name = at[1];
    at += 2;
    const char *known = name != 0 ? strchr(names, name) : NULL;
    if (known != NULL) {
      *to++ = meanings[known - names];
      continue;
    }
    uint32_t scalar;
    at = name == 'u' ? read_unicode(at, end, &scalar) : NULL;
    if (at == NULL) return "a string holds an escape that is no character, or U+0000";
    to = put_scalar(to, scalar);
  }
  *to = 0;
  *count = (size_t)(to - out);
  if (qubus_wire_invalid_utf8_offset((const uint8_t *)out, *count) != SIZE_MAX) {
    return "a string is not UTF-8";
  }
  return NULL;
}

// Numbers

static const char *skip_digits(const char *at, const char *end) {
  while (at < end && *at >= '0' && *at <= '9') at++;
  return at;
}

const char *json_take_number(json_cursor *cursor, json_span *out) {
  static const char problem[] = "a number is expected";
  skip_space(cursor);
  const char *at = cursor->at, *end = cursor->end, *digits;
  if (at < end && *at == '-') at++;
  digits = at;
  at = skip_digits(at, end);
  if (at == digits || (*digits == '0' && at > digits + 1)) return problem;
  if (at < end && *at == '.') {
    digits = ++at;
    at = skip_digits(at, end);
    if (at == digits) return problem;
  }
  if (at < end && (*at == 'e' || *at == 'E')) {
    at++;
    if (at < end && (*at == '+' || *at == '-')) at++;
    digits = at;
    at = skip_digits(at, end);
    if (at == digits) return problem;
  }
  *out = (json_span){cursor->at, (size_t)(at - cursor->at)};
  if (out->count > json_number_maximum) return "a number is longer than 128 characters";
  cursor->at = at;
  return NULL;
}

int32_t json_integer(json_span digits, uint64_t *magnitude, int32_t *is_negative) {
  const char *at = digits.at, *end = at + digits.count;
  *is_negative = at < end && *at == '-';
  at += *is_negative;
  if (at == end || (*at == '0' && end - at > 1)) return 0;
  uint64_t value = 0;
  for (; at < end; at++) {
    if (*at < '0' || *at > '9') return 0;
    uint64_t digit = (uint64_t)(*at - '0');
    if (value > (UINT64_MAX - digit) / 10) return 0;
    value = value * 10 + digit;
  }
  *magnitude = value;
  return 1;
}

int32_t json_double(json_span number, double *out) {
  char text[json_number_maximum + 1];
  if (number.count > json_number_maximum) return 0;
  memcpy(text, number.at, number.count);
  text[number.count] = 0;
  // The host's locale may have another decimal point.
  locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (c == (locale_t)0) return 0;
  *out = strtod_l(text, NULL, c);
  freelocale(c);
  return isfinite(*out) != 0;
}
