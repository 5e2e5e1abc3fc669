"""HTTP on both sides of the learner's code: a client, a scripted server, and what the contract says of an answer."""
