// QubusWire
