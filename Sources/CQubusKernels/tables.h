#ifndef QUBUS_KERNEL_TABLES_H
#define QUBUS_KERNEL_TABLES_H

#include "qubus_kernels.h"

extern const qk_table qk_reference_table;

#endif
