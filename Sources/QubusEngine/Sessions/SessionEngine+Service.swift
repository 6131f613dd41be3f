extension SessionEngine: SessionService {}
