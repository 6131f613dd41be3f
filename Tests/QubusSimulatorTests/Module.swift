// QubusSimulatorTests
