// QubusEngine
