/// The gate table's rows. Controlled gates are not rows: `cx` is `x` with one control, `ccz` is `z`
/// with two. `Gate+Matrix.swift` holds each row's matrix; one test cross-checks matrix, inverse,
/// parameter count and name.
package enum Gate: UInt8, Sendable, Hashable, CaseIterable {
  /// exp(iγ); no target. Matters under controls.
  case globalPhase
  case identity, x, y, z, h, s, sdg, t, tdg, sx, sxdg
  /// diag(1, e^{iλ}).
  case phase
  case rx, ry, rz
  /// R(θ, φ) = exp(-iθ/2 (cos φ X + sin φ Y)).
  case r
  /// U(θ, φ, λ) with a real upper left entry: [[cos θ/2, -e^{iλ} sin θ/2], [e^{iφ} sin θ/2,
  /// e^{i(φ+λ)} cos θ/2]].
  case u
  case swap, iswap, dcx, ecr
  case rxx, ryy, rzz, rzx
  case xxMinusYY, xxPlusYY

  /// Number of target qubits.
  package var targetCount: Int {
    switch self {
    case .globalPhase: 0
    case .identity, .x, .y, .z, .h, .s, .sdg, .t, .tdg, .sx, .sxdg, .phase, .rx, .ry, .rz, .r, .u: 1
    case .swap, .iswap, .dcx, .ecr, .rxx, .ryy, .rzz, .rzx, .xxMinusYY, .xxPlusYY: 2
    }
  }

  /// Number of angles.
  package var parameterCount: Int {
    switch self {
    case .identity, .x, .y, .z, .h, .s, .sdg, .t, .tdg, .sx, .sxdg, .swap, .iswap, .dcx, .ecr: 0
    case .globalPhase, .phase, .rx, .ry, .rz, .rxx, .ryy, .rzz, .rzx: 1
    case .r, .xxMinusYY, .xxPlusYY: 2
    case .u: 3
    }
  }

  /// The name used in plans, errors and the target's native gate list.
  package var name: String {
    switch self {
    case .globalPhase: "gphase"
    case .identity: "id"
    case .phase: "p"
    case .xxMinusYY: "xx_minus_yy"
    case .xxPlusYY: "xx_plus_yy"
    case .x, .y, .z, .h, .s, .sdg, .t, .tdg, .sx, .sxdg, .rx, .ry, .rz, .r, .u, .swap, .iswap,
      .dcx, .ecr, .rxx, .ryy, .rzz, .rzx:
      String(describing: self)
    }
  }
}
