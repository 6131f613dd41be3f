// QubusJobs
