package import QubusCore

/// What the server is told; everything has a default but the endpoints.
package struct ServerConfiguration: Sendable {
  /// For example `ipc:///run/qubus/qubus.sock`, `tcp://127.0.0.1:7400` and `curve://*:7400`; port 0
  /// takes a free one.
  package var endpoints: [String]
  /// Where the keys of curve endpoints lie, or are made at the first start.
  package var keyDirectory: String?
  /// Group that may use the ipc sockets: directory 0750 and socket 0660 instead of 0700 and 0600.
  package var socketGroup: String?
  package var limits = Limits()
  /// Threads for reads that may block on the disk.
  package var readerThreads = 2
  package var connections = 16_384
  /// Calls in flight on all connections together.
  package var callsInFlight = 65_536
  /// Frames of one message that are kept; the rest of a longer one is dropped unread.
  package var framesPerMessage = 64
  /// Bytes of steps' answers that one connection may leave unread before its steps are refused.
  package var unreadBytes = 64 << 20
  /// Overrides the process's limit of file descriptors, for tests.
  package var descriptorLimit: Int?
  /// Bytes up to which a result comes whole with its FINAL.
  package var inlineResultBytes = 64 << 10
  /// Between heartbeats of clients, as HELLO tells them, and of the system's looks for peers that
  /// are gone.
  package var heartbeatMilliseconds: Int32 = 5000
  /// A peer that has not introduced itself after this long is cut off.
  package var handshakeMilliseconds: Int32 = 3000
  /// Connections of one network address that may come to nothing: so many at once, then so many a
  /// second; the next are closed before their handshake. Of the process; 0 at once: no limit.
  package var unadmittedAtOnce: UInt32 = 0
  package var unadmittedPerSecond: UInt32 = 50
  /// Bytes of a message that a peer may have sent without its end, before it is cut off.
  package var unfinishedBytes: UInt64 = 144 << 20
  /// Memory of the process above which connections with unfinished messages are closed, which
  /// ZeroMQ keeps without a bound, and if that does not help all; they may come anew. 0: never.
  package var memoryCapBytes: UInt64 = 0
  /// A connection without calls is forgotten after this long; it costs the client nothing.
  package var idleConnectionSeconds: Int64 = 600
  /// A connection with calls is asked for after this long in silence.
  package var probeSeconds: Int64 = 30
  /// How long `close` waits for calls in flight.
  package var closeGraceMilliseconds: Int64 = 1000
  /// How long after a message whose answer has to wait processors are kept from halting, when
  /// another came as shortly before; microseconds, 0: never.
  package var keepAwakeMicroseconds: Int64 = 500
  /// Processor that the threads of the messages keep to; nil: any.
  package var messageProcessor: Int?
  /// Of the store, for `Version`.
  package var storeSchemaVersion: UInt32 = 0
  package var instructionSet = ""

  package init(endpoints: [String]) { self.endpoints = endpoints }
}
