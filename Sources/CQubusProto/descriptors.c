#include <string.h>

#include "qubus_wire.h"

#define DEFINE(name)                                               \
  const ProtobufCMessageDescriptor *qubus_descriptor_##name(void) { \
    return &qubus__v1__##name##__descriptor;                       \
  }
QUBUS_WIRE_MESSAGES(DEFINE)

static const ProtobufCMessageDescriptor *const all[] = {
#define ENTRY(name) &qubus__v1__##name##__descriptor,
    QUBUS_WIRE_MESSAGES(ENTRY)};

const ProtobufCMessageDescriptor *qubus_descriptor_named(const char *name) {
  for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
    if (strcmp(all[i]->short_name, name) == 0) return all[i];
  }
  return NULL;
}
