"""HTTP on both sides of the learner's code: a client, a scripted server, and the contract's rules for a response."""
