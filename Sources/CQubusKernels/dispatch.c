#include "tables.h"

int qk_isa_available(qk_isa isa) { return isa == QK_REFERENCE; }

const qk_table *qk_table_for(qk_isa isa) {
  return isa == QK_REFERENCE ? &qk_reference_table : NULL;
}

qk_isa qk_best_isa(void) { return QK_REFERENCE; }
