#include "internal.h"

const char *qubus_version(void) { return QUBUS_VERSION_STRING; }

uint32_t qubus_abi_version(void) { return QUBUS_ABI_VERSION; }
