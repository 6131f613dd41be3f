internal import QubusCore

/// Search trees over jobs by due time, balanced by a hash of the id (treaps). Every change takes
/// the root and answers the new one; O(log n) expected.
/// - Source: Seidel & Aragon 1996, "Randomized search trees".
extension JobSlab {
  private func isBefore(_ a: UInt32, _ b: UInt32) -> Bool {
    let (first, second) = (links[Int(a)].dueAt, links[Int(b)].dueAt)
    return first != second ? first < second : slots[Int(a)].id < slots[Int(b)].id
  }

  mutating func insert(_ place: UInt32, dueAt: Microseconds, into root: UInt32) -> UInt32 {
    let link = JobLink(slots[Int(place)], dueAt: dueAt)
    links[Int(place)] = link
    var (above, isLeft) = (Self.none, false)
    var at = root
    while at != Self.none, links[Int(at)].priority >= link.priority {
      links[Int(at)].size += 1
      links[Int(at)].work += link.work
      if link.leastCores < links[Int(at)].leastCores {
        links[Int(at)].leastCores = link.leastCores
      }
      if link.leastLong < links[Int(at)].leastLong { links[Int(at)].leastLong = link.leastLong }
      isLeft = isBefore(place, at)
      above = at
      at = isLeft ? links[Int(at)].left : links[Int(at)].right
    }
    if at != Self.none {
      let (left, right) = split(at, at: place)
      links[Int(place)].left = left
      links[Int(place)].right = right
      sum(place)
    }
    if above == Self.none { return place }
    if isLeft { links[Int(above)].left = place } else { links[Int(above)].right = place }
    return root
  }

  /// Those before the job at `place` and the rest.
  private mutating func split(_ root: UInt32, at place: UInt32) -> (UInt32, UInt32) {
    if root == Self.none { return (Self.none, Self.none) }
    if isBefore(root, place) {
      let (left, right) = split(links[Int(root)].right, at: place)
      links[Int(root)].right = left
      sum(root)
      return (root, right)
    }
    let (left, right) = split(links[Int(root)].left, at: place)
    links[Int(root)].left = right
    sum(root)
    return (left, root)
  }

  mutating func remove(_ place: UInt32, from root: UInt32) -> UInt32 {
    precondition(root != Self.none, "the job hangs in this tree")
    if root == place { return join(links[Int(root)].left, links[Int(root)].right) }
    if isBefore(place, root) {
      links[Int(root)].left = remove(place, from: links[Int(root)].left)
    } else {
      links[Int(root)].right = remove(place, from: links[Int(root)].right)
    }
    let cores = slots[Int(place)].cores
    let long = JobLink.milliseconds(slots[Int(place)].long)
    if links[Int(root)].leastCores < cores, links[Int(root)].leastLong < long {
      // Another has the least of both: the children need no look.
      links[Int(root)].size -= 1
      links[Int(root)].work -= slots[Int(place)].work
    } else {
      sum(root)
    }
    return root
  }

  private mutating func join(_ left: UInt32, _ right: UInt32) -> UInt32 {
    if left == Self.none { return right }
    if right == Self.none { return left }
    if links[Int(left)].priority > links[Int(right)].priority {
      links[Int(left)].right = join(links[Int(left)].right, right)
      sum(left)
      return left
    }
    links[Int(right)].left = join(left, links[Int(right)].left)
    sum(right)
    return right
  }

  private mutating func sum(_ place: UInt32) {
    let job = slots[Int(place)]
    var (size, work) = (UInt32(1), job.work)
    var (cores, long) = (job.cores, JobLink.milliseconds(job.long))
    let (left, right) = (links[Int(place)].left, links[Int(place)].right)
    if left != Self.none {
      size += links[Int(left)].size
      work += links[Int(left)].work
      cores = min(cores, links[Int(left)].leastCores)
      long = min(long, links[Int(left)].leastLong)
    }
    if right != Self.none {
      size += links[Int(right)].size
      work += links[Int(right)].work
      cores = min(cores, links[Int(right)].leastCores)
      long = min(long, links[Int(right)].leastLong)
    }
    links[Int(place)].size = size
    links[Int(place)].work = work
    links[Int(place)].leastCores = cores
    links[Int(place)].leastLong = long
  }

  func first(in root: UInt32) -> UInt32? {
    if root == Self.none { return nil }
    var place = root
    while links[Int(place)].left != Self.none { place = links[Int(place)].left }
    return place
  }

  /// Every job of a tree, earliest first.
  func walk(_ root: UInt32, _ body: (UInt32) -> Void) {
    if root == Self.none { return }
    walk(links[Int(root)].left, body)
    body(root)
    walk(links[Int(root)].right, body)
  }

  /// The earliest that fits.
  /// - Parameter looks: how many jobs may be looked at; what was used is taken off.
  func first(in root: UInt32, fitting room: Room, looks: inout Int) -> UInt32? {
    if root == Self.none || looks <= 0 { return nil }
    looks -= 1
    guard room.mayTakeSome(below: links[Int(root)]) else { return nil }
    if let earlier = first(in: links[Int(root)].left, fitting: room, looks: &looks) {
      return earlier
    }
    if room.takes(slots[Int(root)]) { return root }
    return first(in: links[Int(root)].right, fitting: room, looks: &looks)
  }

  /// Jobs before this one in its tree and their core-microseconds.
  func ahead(of place: UInt32, in root: UInt32) -> (count: Int, work: Int64) {
    var (count, work) = (0, Int64(0))
    var at = root
    while at != Self.none {
      let link = links[Int(at)]
      if at != place, isBefore(place, at) {
        at = link.left
        continue
      }
      if link.left != Self.none {
        count += Int(links[Int(link.left)].size)
        work += links[Int(link.left)].work
      }
      if at == place { break }
      count += 1
      work += slots[Int(at)].work
      at = link.right
    }
    return (count, work)
  }
}
