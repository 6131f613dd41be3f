// QubusServerTests
