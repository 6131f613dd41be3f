// QubusWireTests
