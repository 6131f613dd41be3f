/// Hardened decoding, checksums and JSON, shared by the daemon and by libqubus. Internal: nothing of
/// this header is exported from libqubus.
///
/// To decode a message that came from outside: `qubus_wire_check` first, then
/// `protobuf_c_message_unpack` with the allocator of a `qubus_arena`. protobuf-c alone lets 34 kB of
/// nesting overflow the stack, and 1 MiB of input take 72 MiB.
#ifndef QUBUS_WIRE_H
#define QUBUS_WIRE_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "envelope.pb-c.h"
#include "job.pb-c.h"
#include "ledger.pb-c.h"
#include "quota.pb-c.h"
#include "calendar.pb-c.h"
#include "service.pb-c.h"
#include "session.pb-c.h"
#include "tenancy.pb-c.h"

#ifdef __cplusplus
extern "C" {
#endif

// ------------------------------------------------------------------------------ wire checking

/// Codes that `qubus_wire_check` returns: the numbers of `proto/errors.json`.
#define QUBUS_WIRE_OK 0
#define QUBUS_WIRE_MALFORMED_FRAME 1002
#define QUBUS_WIRE_MESSAGE_TOO_LARGE 1003
#define QUBUS_WIRE_MESSAGE_TOO_DEEP 1004
#define QUBUS_WIRE_TOO_MANY_FIELDS 1005
#define QUBUS_WIRE_INVALID_UTF8 1006
#define QUBUS_WIRE_NUL_IN_STRING 1007
#define QUBUS_WIRE_INVALID_ENUM_VALUE 1008

/// Levels of messages that are followed, whatever the limits say: the walk recurses.
#define QUBUS_WIRE_DEPTH_CEILING 64u

typedef struct qubus_wire_limits {
  uint32_t maximum_depth;         ///< levels of messages, the outermost is 1
  uint32_t maximum_fields;        ///< of the whole message, each repeated element counted
  uint64_t maximum_bytes;         ///< of the whole message
  uint64_t maximum_field_bytes;   ///< of one string or bytes field
  uint32_t accept_unknown_enums;  ///< 1: a client that talks to a newer server
  uint32_t reserved;
} qubus_wire_limits;

/// Depth 32, 4,096 fields, 64 MiB, 64 MiB, unknown enumeration values refused.
qubus_wire_limits qubus_wire_limits_default(void);

/// Walks the wire format of `data` against `descriptor` without allocating: depth, number of fields,
/// lengths, tags and wire types, UTF-8 without NUL in strings, enumeration values. Unknown fields are
/// allowed and count. A singular message field that occurs twice is refused: no encoder writes that,
/// and merging copies what came before each time.
/// - detail: what was wrong and where, for example "job.pubs[3].parameters[0].name: byte 4 is not
///   valid UTF-8"; may be NULL; always ends with NUL when `detail_capacity` > 0.
/// - Returns QUBUS_WIRE_OK or one of the codes above.
int32_t qubus_wire_check(
    const ProtobufCMessageDescriptor *descriptor, const uint8_t *data, size_t count,
    const qubus_wire_limits *limits, char *detail, size_t detail_capacity);

/// Offset of the first byte that is not part of well-formed UTF-8 (no surrogates, shortest form, at
/// most U+10FFFF), or SIZE_MAX.
size_t qubus_wire_invalid_utf8_offset(const uint8_t *data, size_t count);

// ------------------------------------------------------------------------------------- arena

typedef struct qubus_arena_block {
  struct qubus_arena_block *next;
  size_t capacity;
} qubus_arena_block;

/// Bump allocator with a budget. Not thread-safe. Do not move it between `init` and `free`: its
/// allocator points to it.
typedef struct qubus_arena {
  ProtobufCAllocator allocator;
  uint8_t *initial;          ///< the caller's
  size_t initial_capacity;
  qubus_arena_block *blocks; ///< newest first
  uint8_t *next;
  uint8_t *end;
  size_t used;               ///< bytes handed out since the last reset
  size_t budget;             ///< bytes that may be handed out
  size_t next_block_bytes;
  int32_t is_exhausted;      ///< 1 once an allocation was refused
} qubus_arena;

/// `buffer` (may be NULL) of `initial` bytes belongs to the caller and is used first; beyond it blocks
/// come from malloc, until `budget` bytes were handed out.
void qubus_arena_init(qubus_arena *arena, void *buffer, size_t initial, size_t budget);
/// 16-byte aligned, uninitialised; NULL when the budget or the memory is used up.
void *qubus_arena_allocate(qubus_arena *arena, size_t bytes);
/// To hand to `protobuf_c_message_unpack`; its free does nothing.
ProtobufCAllocator *qubus_arena_allocator(qubus_arena *arena);
/// Forgets everything handed out; keeps the newest block.
void qubus_arena_reset(qubus_arena *arena);
/// Gives all blocks back. The arena may then be used again.
void qubus_arena_free(qubus_arena *arena);
/// Heap arena with no buffer, for callers that cannot keep the struct in place; NULL without memory.
qubus_arena *qubus_arena_create(size_t budget);
void qubus_arena_destroy(qubus_arena *arena);

// --------------------------------------------------------------------------------- checksums

/// CRC-32C (Castagnoli, as in iSCSI, RFC 3720), of `data` after bytes whose CRC is `crc` (0 at first).
uint32_t qubus_crc32c(uint32_t crc, const void *data, size_t count);

/// SHA-256 (FIPS 180-4).
typedef struct qubus_sha256 {
  uint32_t state[8];
  uint64_t bytes;
  uint8_t block[64];
} qubus_sha256;
void qubus_sha256_init(qubus_sha256 *hash);
void qubus_sha256_update(qubus_sha256 *hash, const void *data, size_t count);
void qubus_sha256_final(qubus_sha256 *hash, uint8_t digest[32]);
void qubus_sha256_digest(const void *data, size_t count, uint8_t digest[32]);
/// The compression function of this processor; `is_portable` 1 gives the plain one, for tests.
typedef void (*qubus_sha256_compressor)(uint32_t state[8], const uint8_t *blocks, size_t count);
qubus_sha256_compressor qubus_sha256_choose(int32_t is_portable);

// -------------------------------------------------------------------------------------- JSON

/// Growable text; `data` ends with NUL whenever it is not NULL.
typedef struct qubus_json {
  char *data;
  size_t count;     ///< bytes without the NUL
  size_t capacity;
  int32_t is_out_of_memory;  ///< 1 once memory was refused; the text is then incomplete
} qubus_json;
void qubus_json_init(qubus_json *json);
void qubus_json_free(qubus_json *json);
void qubus_json_append_bytes(qubus_json *json, const char *text, size_t count);
/// A JSON string, quoted and escaped; bytes that are not UTF-8 become U+FFFD.
void qubus_json_append_string(qubus_json *json, const char *text, size_t count);
/// A JSON number that reads back as the same double; null for NaN and infinities.
void qubus_json_append_double(qubus_json *json, double value);
/// A message as one JSON object, by reflection: names as in proto; 64-bit integers as numbers; bytes
/// as lower-case hex; an enumeration as its value's name without the prefix, in lower case, null when
/// unspecified and a number when unknown; unset sub-messages and oneof members left out; repeated
/// fields always arrays.
void qubus_json_append(qubus_json *json, const ProtobufCMessage *message);

#define QUBUS_WIRE_INVALID_ARGUMENT 9007
/// The other direction: a message from one JSON object, in `arena`, which bounds its memory. Takes
/// what `qubus_json_append` writes, but null only for a whole field, and 64-bit integers in strings
/// too. Refuses fields that `descriptor` does not have, a field given twice, two members of a oneof,
/// another type, numbers out of range or not whole, unknown names of enumerations, strings that are
/// not UTF-8 or hold a NUL, more than 32 levels, and anything after the object.
/// - detail: what was wrong and where, for example "grants[1].role: one of viewer, … is expected",
///   without any value of the input; ends with NUL when `detail_capacity` > 0.
/// - Returns QUBUS_WIRE_OK or QUBUS_WIRE_INVALID_ARGUMENT.
int32_t qubus_json_read(
    const ProtobufCMessageDescriptor *descriptor, const char *text, size_t count,
    qubus_arena *arena, ProtobufCMessage **out, char *detail, size_t detail_capacity);

// ------------------------------------------------------------------------------- descriptors

/// Every message of proto/, by its protobuf-c name.
#define QUBUS_WIRE_MESSAGES(X)                                                                   \
  X(attachment_descriptor) X(field_violation) X(source_location) X(key_value) X(error_detail)    \
  X(status) X(envelope) X(parameter_array) X(pauli_term) X(observable) X(pub) X(execution)       \
  X(experiment) X(job_request) X(phase_ledger) X(link) X(job) X(counts_entry) X(partial_counts)  \
  X(progress) X(job_event) X(result_item) X(result_chunk_info) X(pub_summary) X(bit_register)    \
  X(result_manifest) X(provenance) X(hello_request) X(hello_response) X(submit_request)          \
  X(submit_response) X(submit_batch_request) X(submit_batch_item) X(submit_batch_response)       \
  X(plan_request) X(plan_pub) X(plan_response) X(get_job_request) X(get_job_response)            \
  X(list_jobs_request) X(list_jobs_response) X(watch_job_request) X(watch_job_response)          \
  X(result_chunk) X(result_selection) X(get_result_request) X(get_result_response)               \
  X(cancel_job_request) X(cancel_job_response) X(annotate_job_request) X(annotate_job_response)  \
  X(replay_job_request) X(replay_job_response) X(device) X(coupling_edge)                        \
  X(wait_constraint) X(explain_job_request) X(explain_job_response)                              \
  X(list_devices_request) X(list_devices_response) X(get_device_request) X(get_device_response)  \
  X(health_request) X(health_response) X(version_request) X(version_response)                    \
  X(error_catalogue_request) X(error_catalogue_entry) X(error_catalogue_response)                \
  X(chunk_request) X(chunk_result)                                                                \
  X(session) X(open_session_request) X(open_session_response) X(step_request) X(step_response)   \
  X(resume_session_request) X(resume_session_response) X(close_session_request)                  \
  X(close_session_response) X(get_session_request) X(get_session_response)                       \
  X(list_sessions_request) X(list_sessions_response) X(named_number) X(optimize_request)         \
  X(optimize_progress) X(optimize_response) X(cancel_optimize_request)                           \
  X(cancel_optimize_response)                                                                     \
  X(role_grant) X(tenant) X(project) X(principal_info) X(client_key) X(who_am_irequest)           \
  X(who_am_iresponse) X(list_tenants_request) X(list_tenants_response) X(create_tenant_request)   \
  X(create_tenant_response) X(update_tenant_request) X(update_tenant_response)                    \
  X(erase_tenant_request) X(erase_tenant_response)                                                 \
  X(list_projects_request) X(list_projects_response) X(create_project_request)                    \
  X(create_project_response) X(update_project_request) X(update_project_response)                 \
  X(list_principals_request) X(list_principals_response) X(create_principal_request)              \
  X(create_principal_response) X(update_principal_request) X(update_principal_response)           \
  X(grant_role_request) X(grant_role_response) X(revoke_role_request) X(revoke_role_response)     \
  X(list_keys_request) X(list_keys_response) X(add_key_request) X(add_key_response)               \
  X(revoke_key_request) X(revoke_key_response) X(create_invitation_request)                       \
  X(create_invitation_response) X(issue_token_request) X(issue_token_response)                    \
  X(revoke_token_request) X(revoke_token_response) X(audit_record) X(list_audit_request)          \
  X(rotate_token_key_request) X(rotate_token_key_response)                                        \
  X(list_audit_response) X(verify_audit_request) X(verify_audit_response)                         \
  X(export_audit_checkpoint_request) X(export_audit_checkpoint_response)                          \
  X(device_price) X(entitlement) X(budget) X(project_credit) X(set_price_request)                 \
  X(set_price_response) X(grant_credit_request) X(grant_credit_response) X(set_budget_request)    \
  X(set_budget_response) X(list_budgets_request) X(list_budgets_response) X(get_usage_request)    \
  X(usage_row) X(get_usage_response)                                                              \
  X(quota_status) X(get_quota_request) X(get_quota_response) X(set_quota_request)                 \
  X(set_quota_response) X(list_quotas_request) X(list_quotas_response) X(approval_policy)         \
  X(set_approval_policy_request) X(set_approval_policy_response) X(pending_approval)              \
  X(list_approvals_request) X(list_approvals_response) X(approve_job_request)                     \
  X(approve_job_response)                                                                         \
  X(dedicate_device_request) X(dedicate_device_response)                                          \
  X(set_weight_request) X(set_weight_response) X(pause_job_request) X(pause_job_response)         \
  X(resume_job_request) X(resume_job_response) X(hold_job_request) X(hold_job_response)           \
  X(release_job_request) X(release_job_response)                                                  \
  X(eta_score) X(get_eta_report_request) X(get_eta_report_response)                               \
  X(get_queue_policy_request) X(get_queue_policy_response)                                        \
  X(drain_device_request) X(drain_device_response) X(change_job_request) X(change_job_response)   \
  X(cancel_batch_request) X(cancel_batch_response)                                                \
  X(resubmit_job_request) X(resubmit_job_response)                                                \
  X(archive_job_request) X(archive_job_response) X(restore_job_request) X(restore_job_response)   \
  X(export_policy) X(set_export_policy_request) X(set_export_policy_response)                     \
  X(list_export_policies_request) X(list_export_policies_response)                                \
  X(reservation) X(create_reservation_request) X(create_reservation_response)                     \
  X(list_reservations_request) X(list_reservations_response) X(extend_reservation_request)        \
  X(extend_reservation_response) X(cancel_reservation_request) X(cancel_reservation_response)

/// `qubus_descriptor_envelope()` and so on: the address of the generated descriptor, which a Swift
/// copy of the global would not be.
#define QUBUS_WIRE_DECLARE(name) const ProtobufCMessageDescriptor *qubus_descriptor_##name(void);
QUBUS_WIRE_MESSAGES(QUBUS_WIRE_DECLARE)
#undef QUBUS_WIRE_DECLARE

/// The descriptor of a message by its name in proto/, for example "SubmitRequest"; NULL when unknown.
const ProtobufCMessageDescriptor *qubus_descriptor_named(const char *name);

#ifdef __cplusplus
}
#endif

#endif
