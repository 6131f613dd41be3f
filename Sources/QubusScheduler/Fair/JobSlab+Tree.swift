internal import QubusCore

/// Search trees over jobs by due time, balanced by a hash of the id (treaps). Every call takes the
/// root and answers the new one; O(log n) expected.
/// - Source: Seidel & Aragon 1996, "Randomized search trees".
extension JobSlab {
  mutating func insert(_ place: UInt32, into root: UInt32) -> UInt32 {
    self[place].left = Self.none
    self[place].right = Self.none
    return insertBelow(root, place)
  }

  private mutating func insertBelow(_ root: UInt32, _ place: UInt32) -> UInt32 {
    if root == Self.none {
      sum(place)
      return place
    }
    if self[place].priority > self[root].priority {
      let (left, right) = split(root, at: place)
      self[place].left = left
      self[place].right = right
      sum(place)
      return place
    }
    if self[place].isBefore(self[root]) {
      self[root].left = insertBelow(self[root].left, place)
    } else {
      self[root].right = insertBelow(self[root].right, place)
    }
    sum(root)
    return root
  }

  /// Those before the job at `place` and the rest.
  private mutating func split(_ root: UInt32, at place: UInt32) -> (UInt32, UInt32) {
    if root == Self.none { return (Self.none, Self.none) }
    if self[root].isBefore(self[place]) {
      let (left, right) = split(self[root].right, at: place)
      self[root].right = left
      sum(root)
      return (root, right)
    }
    let (left, right) = split(self[root].left, at: place)
    self[root].left = right
    sum(root)
    return (left, root)
  }

  mutating func remove(_ place: UInt32, from root: UInt32) -> UInt32 {
    precondition(root != Self.none, "the job hangs in this tree")
    if root == place { return join(self[root].left, self[root].right) }
    if self[place].isBefore(self[root]) {
      self[root].left = remove(place, from: self[root].left)
    } else {
      self[root].right = remove(place, from: self[root].right)
    }
    sum(root)
    return root
  }

  private mutating func join(_ left: UInt32, _ right: UInt32) -> UInt32 {
    if left == Self.none { return right }
    if right == Self.none { return left }
    if self[left].priority > self[right].priority {
      self[left].right = join(self[left].right, right)
      sum(left)
      return left
    }
    self[right].left = join(left, self[right].left)
    sum(right)
    return right
  }

  private mutating func sum(_ place: UInt32) {
    var job = self[place]
    job.size = 1
    job.work = job.ownWork
    job.leastCores = job.cores
    job.leastLong = job.long
    for child in [job.left, job.right] where child != Self.none {
      let below = self[child]
      job.size += below.size
      job.work += below.work
      job.leastCores = min(job.leastCores, below.leastCores)
      job.leastLong = min(job.leastLong, below.leastLong)
    }
    self[place] = job
  }

  func first(in root: UInt32) -> UInt32? {
    if root == Self.none { return nil }
    var place = root
    while self[place].left != Self.none { place = self[place].left }
    return place
  }

  /// The earliest that fits.
  /// - Parameter looks: how many jobs may be looked at; what was used is taken off.
  func first(in root: UInt32, fitting room: Room, looks: inout Int) -> UInt32? {
    if root == Self.none || looks <= 0 { return nil }
    looks -= 1
    guard room.mayTakeSome(below: self[root]) else { return nil }
    if let earlier = first(in: self[root].left, fitting: room, looks: &looks) { return earlier }
    if room.takes(self[root]) { return root }
    return first(in: self[root].right, fitting: room, looks: &looks)
  }

  /// Jobs before this one in its tree and their core-seconds.
  func ahead(of place: UInt32, in root: UInt32) -> (count: Int, work: Double) {
    var (count, work) = (0, 0.0)
    var at = root
    while at != Self.none {
      let job = self[at]
      if at != place, self[place].isBefore(job) {
        at = job.left
        continue
      }
      if job.left != Self.none {
        count += Int(self[job.left].size)
        work += self[job.left].work
      }
      if at == place { break }
      count += 1
      work += job.ownWork
      at = job.right
    }
    return (count, work)
  }
}
