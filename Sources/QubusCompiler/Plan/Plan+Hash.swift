internal import Crypto

extension Plan {
  /// SHA-256 over what runs, in which order and where: operations, stages and positions. Numbers
  /// follow from the circuit, its parameters and the planner; they are not part of it.
  ///
  /// Little-endian, each number 8 bytes: 1 (version), qubits, bytes of an amplitude, version of the
  /// cost table; for every stage the end of its operations, local mask, live count; for every
  /// operation kind, control mask and value, factor mask, offset, number of targets, targets; the
  /// positions at the start and at the end.
  package var hash: [UInt8] {
    var words: [UInt64] = [
      1, UInt64(qubitCount), UInt64(precision.bytesPerAmplitude), UInt64(costs.version),
    ]
    words.reserveCapacity(4 + 3 * stages.count + 9 * operations.count + 2 * qubitCount)
    for stage in stages {
      words += [UInt64(stage.operations.upperBound), stage.localMask, UInt64(stage.liveCount)]
    }
    for operation in operations {
      words.append(UInt64(operation.kind.rawValue))
      words.append(operation.controlMask)
      words.append(operation.controlValue)
      words.append(operation.factorMask)
      words.append(UInt64(operation.offset))
      words.append(UInt64(operation.targets.count))
      for target in operation.targets { words.append(UInt64(target)) }
    }
    for position in initialPositions { words.append(UInt64(position)) }
    for position in finalPositions { words.append(UInt64(position)) }
    #if _endian(big)
      for index in words.indices { words[index] = words[index].littleEndian }
    #endif
    return words.withUnsafeBytes { Array(SHA256.hash(data: $0)) }
  }
}
