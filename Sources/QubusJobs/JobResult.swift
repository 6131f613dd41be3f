package import QubusCore

/// Element types of result arrays; raw values are those of the wire's `DataType`.
package enum DataType: UInt8, Sendable, Hashable {
  case uint8 = 1
  case uint64 = 2
  case int64 = 3
  case float64 = 4
  case complex128 = 5

  package var elementBytes: Int {
    switch self {
    case .uint8: 1
    case .uint64, .int64, .float64: 8
    case .complex128: 16
    }
  }
}

package struct ResultChunkInfo: Sendable, Hashable {
  package var offset: UInt64
  package var bytes: UInt64
  package var sha256: [UInt8]

  package init(offset: UInt64, bytes: UInt64, sha256: [UInt8]) {
    self.offset = offset
    self.bytes = bytes
    self.sha256 = sha256
  }
}

/// One named array of a result, cut into chunks that can be fetched one by one.
package struct ResultItem: Sendable, Hashable {
  /// counts.keys, counts.values, counts.offsets, memory, probabilities, statevector or
  /// expectation_values; shapes in `docs/results.md`.
  package var name: String
  package var pub: UInt32
  package var dataType: DataType
  package var shape: [UInt64]
  package var bytes: UInt64
  package var sha256: [UInt8]
  package var chunks: [ResultChunkInfo]
  package var measurementBasis: String

  package init(
    name: String, pub: UInt32, dataType: DataType, shape: [UInt64], bytes: UInt64,
    sha256: [UInt8], chunks: [ResultChunkInfo], measurementBasis: String = "computational"
  ) {
    self.name = name
    self.pub = pub
    self.dataType = dataType
    self.shape = shape
    self.bytes = bytes
    self.sha256 = sha256
    self.chunks = chunks
    self.measurementBasis = measurementBasis
  }
}

package struct BitRegister: Sendable, Hashable {
  package var name: String
  package var offset: UInt32
  package var size: UInt32

  package init(name: String, offset: UInt32, size: UInt32) {
    self.name = name
    self.offset = offset
    self.size = size
  }
}

package struct PubSummary: Sendable, Hashable {
  package var pub: UInt32
  package var qubitCount: UInt32
  package var bitCount: UInt32
  /// Broadcast shape of the parameters; its product is the number of rows.
  package var shape: [UInt64]
  package var shots: UInt64
  package var normDrift: Double?
  package var registers: [BitRegister]

  package init(
    pub: UInt32, qubitCount: UInt32, bitCount: UInt32, shape: [UInt64], shots: UInt64,
    normDrift: Double? = nil, registers: [BitRegister] = []
  ) {
    self.pub = pub
    self.qubitCount = qubitCount
    self.bitCount = bitCount
    self.shape = shape
    self.shots = shots
    self.normDrift = normDrift
    self.registers = registers
  }
}

/// The table of contents of a result.
package struct ResultManifest: Sendable, Hashable {
  package var schemaVersion: UInt32 = 1
  package var jobID: Identifier
  package var attempt: UInt32
  package var items: [ResultItem] = []
  package var pubs: [PubSummary] = []
  /// True for what a canceled job had.
  package var isPartial = false
  /// SHA-256 over the canonical results; see `docs/determinism.md`.
  package var executionHash: [UInt8] = []
  package var shotsDone: UInt64 = 0

  package init(jobID: Identifier, attempt: UInt32) {
    self.jobID = jobID
    self.attempt = attempt
  }
}

/// A result on its way to the store: manifest, provenance and the bytes of every item, in order.
package struct JobResult: Sendable {
  package var manifest: ResultManifest
  package var provenance: Provenance
  package var data: [[UInt8]]

  package init(manifest: ResultManifest, provenance: Provenance, data: [[UInt8]]) {
    self.manifest = manifest
    self.provenance = provenance
    self.data = data
  }
}
