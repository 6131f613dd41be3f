// QubusScheduler
