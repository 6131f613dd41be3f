// QubusClient
