// swift-tools-version: 6.2
import PackageDescription

let root = Context.packageDirectory
let sanitizing = Context.environment["QUBUS_SANITIZER"] != nil

/// Settings of every Swift target: Swift 6 mode, warnings are errors.
let swiftSettings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

/// A Swift module of ours. Imports point one way; `scripts/check-imports` enforces it.
func module(
  _ name: String, _ dependencies: [Target.Dependency] = []
) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}
func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}
/// Tests that compute little themselves run before they would be optimised. What they test is.
let plainSettings = swiftSettings + [.unsafeFlags(["-Onone"])]
func plainTests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, swiftSettings: plainSettings)
}

let package = Package(
  name: "qubus",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "qubusd", targets: ["qubusd"]),
    .executable(name: "qubus", targets: ["qubus"]),
    .executable(name: "qubus-sim", targets: ["qubus-sim"]),
    .library(name: "qubus-c", type: .dynamic, targets: ["QubusShared"]),
    .library(name: "QubusClient", targets: ["QubusClient"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
    .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
  ],
  targets: [
    .systemLibrary(
      name: "CZeroMQ", pkgConfig: "libzmq", providers: [.apt(["libzmq3-dev"])]),
    .systemLibrary(
      name: "CProtobufC", pkgConfig: "libprotobuf-c", providers: [.apt(["libprotobuf-c-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .target(
      name: "CQubusProto", dependencies: ["CProtobufC"],
      cSettings: [.unsafeFlags(["-fvisibility=hidden", "-std=c11", "-Wall", "-Wextra", "-O2"])]),
    .target(
      name: "CAccept",
      cSettings: [.unsafeFlags(["-std=c11", "-Wall", "-Wextra", "-O2"])]),
    .target(
      name: "CProcess",
      cSettings: [.unsafeFlags(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O2"])]),
    .target(
      name: "CThreads",
      cSettings: [.unsafeFlags(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O2"])]),
    .target(
      name: "CLogFile",
      cSettings: [.unsafeFlags(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O2"])],
      linkerSettings: [.linkedLibrary("sqlite3")]),
    .target(
      name: "CQubusKernels",
      exclude: [
        "gates.inc", "gates_builder.inc", "gates_dense_2.inc", "gates_diagonal.inc",
        "gates_matrix.inc", "gates_move.inc", "gates_precisions.inc", "gates_prepare.inc",
        "gates_rotate.inc", "gates_rows.inc", "gates_scalar.inc", "gates_signs.inc",
        "gates_step.inc", "gates_vector.inc", "reference.inc", "reductions.inc",
        "reductions_flips.inc", "reductions_isa.inc", "reductions_reference.inc",
        "reductions_rows.inc", "reductions_vector.inc",
      ],
      cSettings: [.unsafeFlags(["-std=c11", "-Wall", "-Wextra", "-Werror", "-O3"])]),
    .target(
      name: "CQubus", dependencies: ["CQubusProto", "CZeroMQ"],
      path: ".",
      exclude: [
        "Sources/CQubus/error_table.inc", "Sources/CQubus/exports.txt",
        "Sources/CQubus/libqubus.map",
      ],
      sources: ["Sources/CQubus"], publicHeadersPath: "include",
      cSettings: [
        .define("QUBUS_BUILD"), .define("_GNU_SOURCE"), .headerSearchPath("Sources/CQubus"),
        .unsafeFlags([
          "-fvisibility=hidden", "-std=c11", "-Wall", "-Wextra", "-Werror", "-O2",
        ]),
      ]),
    .target(
      name: "QubusShared", dependencies: ["CQubus"],
      linkerSettings: [
        .unsafeFlags(
          [
            "-enable-experimental-feature", "Embedded", "-wmo", "-nostartfiles",
            "-no-toolchain-stdlib-rpath",
            "-Xlinker", "-soname=libqubus.so.0",
            "-Xlinker", "--version-script=\(root)/Sources/CQubus/libqubus.map",
            "-Xlinker", "--as-needed",
          ] + (sanitizing ? [] : ["-Xlinker", "-z", "-Xlinker", "defs"]))
      ]),

    module("QubusCore", ["CThreads"]),
    module("QubusOptimizers", ["QubusCore"]),
    module("QubusCircuit", ["QubusCore"]),
    module("QubusQASM", ["QubusCore", "QubusCircuit"]),
    module(
      "QubusCompiler",
      ["QubusCore", "QubusCircuit", .product(name: "Crypto", package: "swift-crypto")]),
    module(
      "QubusSimulator",
      ["QubusCore", "QubusCircuit", "QubusCompiler", "CQubusKernels", "CThreads"]),
    module(
      "QubusDevices",
      [
        "QubusCore", "QubusCircuit", "QubusCompiler", "QubusSimulator",
        .product(name: "Crypto", package: "swift-crypto"),
      ]),
    module(
      "QubusJobs",
      ["QubusCore", "QubusCircuit", .product(name: "Crypto", package: "swift-crypto")]),
    module(
      "QubusTenancy",
      [
        "QubusCore", "QubusJobs", .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "JWTKit", package: "jwt-kit"),
      ]),
    module(
      "QubusStoreSQLite",
      [
        "QubusCore", "QubusJobs", "QubusTenancy", "CLogFile", "CZlib",
        .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "GRDBSQLite", package: "GRDB.swift"),
        .product(name: "Crypto", package: "swift-crypto"),
      ]),
    module(
      "QubusScheduler",
      [
        "QubusCore", .product(name: "DequeModule", package: "swift-collections"),
        .product(name: "HeapModule", package: "swift-collections"),
      ]),
    // Replays loads through scheduling policies in virtual time; no part of the daemon.
    module(
      "QubusSchedulerTraces",
      [
        "QubusCore", "QubusScheduler",
        .product(name: "DequeModule", package: "swift-collections"),
        .product(name: "HeapModule", package: "swift-collections"),
      ]),
    module(
      "QubusEngine",
      [
        "QubusOptimizers",
        "QubusCore", "QubusCircuit", "QubusQASM", "QubusCompiler", "QubusSimulator",
        "QubusDevices", "QubusJobs", "QubusTenancy", "QubusScheduler",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "DequeModule", package: "swift-collections"),
        .product(name: "HeapModule", package: "swift-collections"),
      ]),
    module(
      "QubusWire", ["QubusCore", "QubusJobs", "QubusTenancy", "CQubusProto", "CProtobufC"]),
    module(
      "QubusServer",
      [
        "QubusCore", "QubusCompiler", "QubusJobs", "QubusTenancy", "QubusSimulator",
        "QubusScheduler", "QubusEngine", "QubusWire",
        "QubusDevices", "CZeroMQ",
        "CAccept", "CThreads", "CQubusProto", "CProtobufC",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "DequeModule", package: "swift-collections"),
      ]),
    module("QubusClient", ["CQubus"]),
    .executableTarget(
      name: "qubusd",
      dependencies: [
        "QubusCore", "QubusQASM", "QubusCompiler", "QubusDevices", "QubusJobs", "QubusTenancy",
        "QubusScheduler", "QubusStoreSQLite", "QubusEngine", "QubusWire", "QubusServer", "CProcess",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "TOMLKit", package: "TOMLKit"),
      ],
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "qubus",
      dependencies: [
        "QubusCore", "QubusClient", "CQubusProto", "CProtobufC",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "qubus-sim",
      dependencies: [
        "QubusCore", "QubusScheduler", "QubusSchedulerTraces",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: swiftSettings),
    // The engine's in-process entry point for `scripts/bench engine`; not installed.
    .executableTarget(
      name: "engine-bench",
      dependencies: [
        "QubusCore", "QubusCircuit", "QubusQASM", "QubusCompiler", "QubusSimulator",
      ],
      path: "Benchmarks/engine/runner", swiftSettings: swiftSettings),
    // What deciding over a call costs; not installed.
    .executableTarget(
      name: "tenancy-bench", dependencies: ["QubusCore", "QubusJobs", "QubusTenancy"],
      path: "Benchmarks/tenancy", swiftSettings: swiftSettings),

    // What deciding costs with a million waiting jobs; not installed.
    .executableTarget(
      name: "scheduler-bench", dependencies: ["QubusCore", "QubusScheduler"],
      path: "Benchmarks/scheduler", swiftSettings: swiftSettings),

    // Counts allocations of a thread, for tests of paths that must make none.
    .target(
      name: "CAllocationCounter", path: "Tests/CAllocationCounter",
      cSettings: [.unsafeFlags(["-std=gnu11", "-Wall", "-Wextra", "-O2"])]),
    tests("QubusOptimizersTests", ["QubusCore", "QubusOptimizers"]),
    tests("QubusCoreTests", ["QubusCore"]),
    tests("QubusCircuitTests", ["QubusCore", "QubusCircuit"]),
    tests("QubusCompilerTests", ["QubusCore", "QubusCircuit", "QubusQASM", "QubusCompiler"]),
    plainTests("QubusQASMTests", ["QubusCore", "QubusCircuit", "QubusQASM"]),
    tests("QubusKernelTests", ["CQubusKernels"]),
    tests(
      "QubusSimulatorTests",
      [
        "QubusCore", "QubusCircuit", "QubusQASM", "QubusCompiler", "QubusSimulator",
        "QubusDevices", "CAllocationCounter",
      ]),
    .testTarget(
      name: "QubusStoreTests",
      dependencies: [
        "QubusCore", "QubusJobs", "QubusTenancy", "QubusStoreSQLite", "CLogFile",
        .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "GRDBSQLite", package: "GRDB.swift"),
      ],
      exclude: ["Fixtures"], swiftSettings: plainSettings),
    plainTests(
      "QubusTenancyTests",
      [
        "QubusCore", "QubusJobs", "QubusTenancy", "QubusWire",
        .product(name: "Crypto", package: "swift-crypto"),
      ]),
    tests(
      "QubusSchedulerTests",
      [
        "QubusCore", "QubusScheduler",
        .product(name: "DequeModule", package: "swift-collections"),
      ]),
    tests("QubusSchedulerTracesTests", ["QubusCore", "QubusScheduler", "QubusSchedulerTraces"]),
    plainTests(
      "QubusEngineTests",
      [
        "QubusCore", "QubusCircuit", "QubusQASM", "QubusCompiler", "QubusSimulator", "QubusJobs",
        "QubusTenancy", "QubusScheduler", "QubusDevices", "QubusEngine", "QubusStoreSQLite",
        "QubusWire",
        "CAllocationCounter", .product(name: "Logging", package: "swift-log"),
      ]),
    plainTests(
      "QubusWireTests",
      ["QubusCore", "QubusJobs", "QubusTenancy", "QubusWire", "CQubusProto", "CProtobufC"]),
    plainTests("QubusClientTests", ["QubusClient"]),
    tests(
      "QubusServerTests",
      [
        "QubusCore", "QubusJobs", "QubusTenancy", "QubusSimulator", "QubusScheduler",
        "QubusEngine",
        "QubusStoreSQLite", "QubusDevices", "QubusWire", "QubusServer", "QubusClient", "CZeroMQ",
        "CQubusProto",
        "CProtobufC", "CAllocationCounter",
      ]),
  ],
  cLanguageStandard: .c11
)

// Under a sanitizer only what its suites need is built (scripts/test-thread-sanitizer).
if sanitizing {
  let suites: Set = [
    "QubusServerTests", "QubusStoreTests", "QubusSimulatorTests", "QubusEngineTests",
  ]
  package.targets.removeAll { target in
    target.type == .executable || (target.type == .test && !suites.contains(target.name))
  }
  package.products.removeAll { $0 is Product.Executable }
}
