/// Qubus for C++17, header-only over libqubus: submit circuits, watch them, fetch results, step
/// sessions. RAII handles, exceptions of one tree, views on the library's arrays.
///
/// Conventions, valid for every function unless it says otherwise
/// - What fails throws a `qubus::error` (error.hpp); its class is that of the error registry.
/// - Handles can be moved, not copied. One handle may be used by several threads at once; moving and
///   destroying it may not overlap with use. A child keeps its parent's connection alive, so the
///   order of destruction does not matter.
/// - A time-out is `std::chrono::milliseconds`; `qubus::forever` waits for ever. It bounds the call,
///   never the durable job.
/// - A moved-from handle answers `invalid_argument`.
#ifndef QUBUS_QUBUS_HPP
#define QUBUS_QUBUS_HPP

#include <qubus.h>

#include "client.hpp"
#include "error.hpp"
#include "events.hpp"
#include "job.hpp"
#include "optimization.hpp"
#include "pending.hpp"
#include "result.hpp"
#include "session.hpp"
#include "span.hpp"
#include "spec.hpp"

#endif
