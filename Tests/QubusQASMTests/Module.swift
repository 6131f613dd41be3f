// QubusQASMTests
