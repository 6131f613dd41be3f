"""One worker a simulator, each in a process of its own: `python -m peers.NAME`."""
