/// Numbers below 2^bits in ascending order, 11 bits a pass, least significant digit first.
func radixSorted(_ numbers: [UInt64], bits: Int) -> [UInt64] {
  if numbers.count < 1 << 10 { return numbers.sorted() }
  var places = [UInt32](repeating: 0, count: 0)
  return radixSorted(numbers, carrying: &places, bits: bits)
}

/// The same, moving `values` (one each, or none at all) along; equal numbers keep their order.
func radixSorted(_ numbers: [UInt64], carrying values: inout [UInt32], bits: Int) -> [UInt64] {
  let digits = 1 << 11
  var (from, to) = (numbers, [UInt64](repeating: 0, count: numbers.count))
  var carried = [UInt32](repeating: 0, count: values.count)
  for shift in stride(from: 0, to: min(bits, 64), by: 11) {
    var starts = [Int](repeating: 0, count: digits + 1)
    starts.withUnsafeMutableBufferPointer { starts in
      for number in from { starts[Int(number >> UInt64(shift)) & (digits - 1) + 1] += 1 }
      for digit in 0..<digits { starts[digit + 1] += starts[digit] }
      to.withUnsafeMutableBufferPointer { to in
        carried.withUnsafeMutableBufferPointer { carried in
          for (index, number) in from.enumerated() {
            let digit = Int(number >> UInt64(shift)) & (digits - 1)
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
