internal import CQubusKernels
internal import Glibc
package import QubusCompiler
package import QubusCore

/// The state vector in the layout of the kernels: blocks of V = 2^laneBits amplitudes, first V real
/// parts, then V imaginary parts, in complex64 or complex128.
///
/// An amplitude's *index* has `bitCount` bits. `positions` says which index bit each qubit has;
/// bits that belong to no qubit pad small states and stay 0.
///
/// `@unchecked Sendable`: threads of a team write disjoint parts of one region; otherwise one
/// thread owns the state at a time. `PlanExecutorTests` compares 1, 2 and 4 threads bit for bit.
package final class BlockedState: @unchecked Sendable {
  package let qubitCount: Int
  package let precision: Precision
  /// Index bits in memory: `qubitCount`, at least 7 in single and 6 in double precision.
  package let bitCount: Int
  /// The index bit of each qubit.
  package internal(set) var positions: [UInt8]
  /// Amplitudes from 2^liveCount on are 0 and their memory is undefined; `bitCount` for everyone
  /// but an executor that is at work (see `makeWhole`).
  package internal(set) var liveCount: Int
  /// Memory from amplitude 2^dirtyCount on has not been written and holds zeros.
  var dirtyCount = 0
  /// 2^bitCount amplitudes, aligned to 64 bytes (2 MiB above that size); valid while this object
  /// lives.
  package let memory: UnsafeMutableRawPointer
  private let mapping: Mapping

  /// Index bits that a state of `qubitCount` qubits has in memory.
  package static func bitCount(qubitCount: Int, _ precision: Precision) -> Int {
    let minimum = precision == .single ? QK_MINIMUM_BITS_F32 : QK_MINIMUM_BITS_F64
    return max(qubitCount, minimum)
  }

  /// Bytes of a state of `qubitCount` qubits.
  package static func byteCount(qubitCount: Int, _ precision: Precision) -> Double {
    Double(
      sign: .plus, exponent: bitCount(qubitCount: qubitCount, precision),
      significand: Double(precision.bytesPerAmplitude))
  }

  /// Reserves memory for |0…0⟩ with qubit q at position q.
  /// - Throws: `insufficient_memory` with the bytes needed and free.
  package init(qubitCount: Int, precision: Precision) throws(QubusError) {
    mapping = try Mapping(qubitCount: qubitCount, precision)
    memory = mapping.start
    self.qubitCount = qubitCount
    self.precision = precision
    bitCount = Self.bitCount(qubitCount: qubitCount, precision)
    positions = (0..<UInt8(qubitCount)).map { $0 }
    liveCount = bitCount
    self[0] = Amplitude(1, 0)
  }

  /// Amplitudes in memory, padding included: 2^bitCount.
  package var count: Int { 1 << bitCount }
  /// Mask of the index bits that belong to qubits.
  package var qubitMask: UInt64 { positions.reduce(0) { $0 | 1 << UInt64($1) } }
  /// Takes over positions without sharing the array, so that changing them allocates nothing.
  func setPositions(_ other: [UInt8]) {
    for qubit in positions.indices { positions[qubit] = other[qubit] }
  }

  package var hasIdentityPositions: Bool {
    for (qubit, position) in positions.enumerated() where qubit != Int(position) { return false }
    return true
  }

  /// 2^(bitCount + 1) reals of a state in double precision.
  package var doubles: UnsafeMutablePointer<Double> {
    assert(precision == .double)
    return memory.assumingMemoryBound(to: Double.self)
  }

  /// 2^(bitCount + 1) reals of a state in single precision.
  package var floats: UnsafeMutablePointer<Float> {
    assert(precision == .single)
    return memory.assumingMemoryBound(to: Float.self)
  }

  /// Index of a basis state whose qubit `q` is bit `q` of `basis`.
  package func index(ofBasisState basis: UInt64) -> Int {
    var index: UInt64 = 0
    for (qubit, position) in positions.enumerated() {
      index |= (basis >> UInt64(qubit) & 1) << UInt64(position)
    }
    return Int(index)
  }

  /// The amplitude at an index; for single numbers, not for loops.
  package subscript(index: Int) -> Amplitude {
    get {
      let place = realPlace(index)
      switch precision {
      case .double: return Amplitude(doubles[place], doubles[place + 1 << precision.laneBits])
      case .single:
        return Amplitude(Double(floats[place]), Double(floats[place + 1 << precision.laneBits]))
      }
    }
    set {
      let place = realPlace(index)
      dirtyCount = max(dirtyCount, Int.bitWidth - index.leadingZeroBitCount)
      switch precision {
      case .double:
        doubles[place] = newValue.x
        doubles[place + 1 << precision.laneBits] = newValue.y
      case .single:
        floats[place] = Float(newValue.x)
        floats[place + 1 << precision.laneBits] = Float(newValue.y)
      }
    }
  }

  /// Where an amplitude's real part lies, in reals; its imaginary part lies 2^laneBits further.
  @inline(__always)
  func realPlace(_ index: Int) -> Int {
    let laneBits = precision.laneBits
    return (index >> laneBits) << (laneBits + 1) | index & ((1 << laneBits) - 1)
  }
}

/// Memory that starts as zeros, given back at the end.
private final class Mapping {
  let start: UnsafeMutableRawPointer
  private let mapped: UnsafeMutableRawPointer?
  private let mappedSize: Int
  private static let hugePage = 2 << 20

  init(qubitCount: Int, _ precision: Precision) throws(QubusError) {
    let bytes = BlockedState.byteCount(qubitCount: qubitCount, precision)
    guard bytes < 0x1p47 else { throw Self.refusal(bytes, qubitCount) }
    let size = Int(bytes)
    if size < Self.hugePage {
      var memory: UnsafeMutableRawPointer?
      guard posix_memalign(&memory, 64, size) == 0, let memory else {
        throw Self.refusal(bytes, qubitCount)
      }
      memset(memory, 0, size)
      start = memory
      mapped = nil
      mappedSize = 0
      return
    }
    // Linux promises memory that it does not have, and ends the process that uses it.
    if bytes >= 0x1p26, let free = MemorySize.available(), bytes > free {
      throw Self.refusal(bytes, qubitCount, free: free)
    }
    // Whole huge pages: fewer faults and fewer TLB misses. Fresh pages are zeros, so nothing that
    // stays zero is ever written.
    let length = size + Self.hugePage
    guard
      let memory = mmap(
        nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
      memory != MAP_FAILED
    else { throw Self.refusal(bytes, qubitCount) }
    mapped = memory
    mappedSize = length
    start = memory.alignedUp(toMultipleOf: Self.hugePage)
    madvise(start, size, MADV_HUGEPAGE)
  }

  deinit {
    if let mapped { munmap(mapped, mappedSize) } else { free(start) }
  }

  private static func refusal(
    _ bytes: Double, _ qubitCount: Int, free: Double? = MemorySize.available()
  ) -> QubusError {
    let needed = MemorySize.text(bytes)
    let rest = free.map { ", \(MemorySize.text($0)) are free" } ?? ""
    return QubusError(
      .insufficientMemory, "a state of \(qubitCount) qubits needs \(needed)\(rest)",
      details: ["needed": needed, "free": free.map { MemorySize.text($0) } ?? "unknown"])
  }
}

extension UnsafeMutableRawPointer {
  fileprivate func alignedUp(toMultipleOf alignment: Int) -> UnsafeMutableRawPointer {
    let rest = Int(bitPattern: self) & (alignment - 1)
    return rest == 0 ? self : self + (alignment - rest)
  }
}

extension MemorySize {
  /// Bytes that the system can give without swapping (`MemAvailable`), if it says so.
  static func available() -> Double? {
    guard let file = fopen("/proc/meminfo", "r") else { return nil }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 128)
    while fgets(&line, 128, file) != nil {
      let text = String(
        decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      guard text.hasPrefix("MemAvailable:") else { continue }
      return text.split(separator: " ").dropFirst().first.flatMap { Double($0) }.map { $0 * 1024 }
    }
    return nil
  }
}
