// QubusStoreSQLite
