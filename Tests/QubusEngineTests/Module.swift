// QubusEngineTests
