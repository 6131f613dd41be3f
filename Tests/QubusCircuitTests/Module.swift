// QubusCircuitTests
