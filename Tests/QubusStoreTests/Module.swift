// QubusStoreTests
