// QubusQASM
