// QubusCoreTests
