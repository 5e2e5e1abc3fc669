"""What survives what: a load of identified tasks, something broken in the middle of it, and a count by task id.

Nothing here depends on luck. Half of the tasks are done and known before anything breaks; of the other half the
workers hold as many as they can, and the rest waits, because the agent stands at a gate that only opens afterwards.
"""
