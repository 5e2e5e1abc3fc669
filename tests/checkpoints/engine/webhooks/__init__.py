"""Both ends of a callback: the receiver of a learner's deliveries, the sender to its receiver, and signatures."""
