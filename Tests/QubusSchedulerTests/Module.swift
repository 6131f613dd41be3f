// QubusSchedulerTests
