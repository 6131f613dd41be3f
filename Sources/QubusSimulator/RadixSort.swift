internal import QubusCore

/// Numbers below 2^bits in ascending order, 11 bits a pass, least significant digit first.
/// - Throws: `execution_canceled`; the flag is looked at before every pass.
func radixSorted(
  _ numbers: [UInt64], bits: Int, _ cancellation: CancellationFlag
) throws(QubusError) -> [UInt64] {
  if numbers.count < 1 << 10 { return numbers.sorted() }
  var places = [UInt32](repeating: 0, count: 0)
  return try radixSorted(numbers, carrying: &places, bits: bits, cancellation)
}

/// The same, moving `values` (one each, or none at all) along; equal numbers keep their order.
func radixSorted(
  _ numbers: [UInt64], carrying values: inout [UInt32], bits: Int,
  _ cancellation: CancellationFlag
) throws(QubusError) -> [UInt64] {
  let digits = 1 << 11
  func digit(_ number: UInt64, _ shift: Int) -> Int {
    Int(truncatingIfNeeded: number >> UInt64(shift)) & (digits - 1)
  }
  var (from, to) = (numbers, [UInt64](repeating: 0, count: numbers.count))
  var carried = [UInt32](repeating: 0, count: values.count)
  for shift in stride(from: 0, to: min(bits, 64), by: 11) {
    try cancellation.check()
    var starts = [Int](repeating: 0, count: digits + 1)
    starts.withUnsafeMutableBufferPointer { starts in
      for number in from { starts[digit(number, shift) + 1] += 1 }
      for digit in 0..<digits { starts[digit + 1] += starts[digit] }
      to.withUnsafeMutableBufferPointer { to in
        carried.withUnsafeMutableBufferPointer { carried in
          for (index, number) in from.enumerated() {
            let digit = digit(number, shift)
            let place = starts[digit]
            starts[digit] = place + 1
            to[place] = number
            if !carried.isEmpty { carried[place] = values[index] }
          }
        }
      }
    }
    swap(&from, &to)
    swap(&values, &carried)
  }
  return from
}
