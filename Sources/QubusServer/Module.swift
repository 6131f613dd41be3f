// QubusServer
