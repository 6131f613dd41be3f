/// A test harness of one page: `CHECK` reports and ends the program, `TEST` names what is run.
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                          \
  do {                                                                            \
    if (!(condition)) {                                                           \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);     \
      exit(1);                                                                    \
    }                                                                             \
  } while (0)

#define CHECK_CODE(expected, expression, error)                                             \
  do {                                                                                      \
    int32_t code_ = (expression);                                                           \
    if (code_ != (expected)) {                                                              \
      fprintf(stderr, "%s:%d: %s gave %d (%s), not %s: %s\n", __FILE__, __LINE__,           \
              #expression, (int)code_, qubus_error_name(code_), #expected, (error).message); \
      exit(1);                                                                              \
    }                                                                                       \
  } while (0)

#define CHECK_OK(expression, error) CHECK_CODE(QUBUS_OK, expression, error)

#define RUN(test)                 \
  do {                            \
    if (argc > 1 && strcmp(argv[1], #test) != 0) break; \
    printf("%s\n", #test);        \
    fflush(stdout);               \
    test();                       \
  } while (0)

#endif
