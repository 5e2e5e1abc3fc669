"""Fault trials: submit tasks with known ids, inject a fault, and count the outcomes by task id.

Nothing depends on timing. Before the fault, half of the tasks have completed and their outcomes are known. Of the
other half, the workers run as many as they can and the rest are queued, because the agent waits at a gate that opens
only after the fault.
"""
