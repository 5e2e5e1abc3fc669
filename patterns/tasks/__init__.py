"""The record of a task, the stores of records, and running a task from pending to finished."""
