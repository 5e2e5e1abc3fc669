"""What the checkpoints are built on. Each package imports only those below it in this list:

- `api`: the public surface, all that the course imports;
- `running`: how pytest runs the checks, several at once, and gives each one outcome;
- `scenarios`: situations that the checks of one exercise share;
- `webhooks`: both ends of a callback;
- `actors`: the environment of a check, and the parties in it: the learner's app, its client, the held agent, workers;
- `http`: a client, a scripted server, and what the wire contract requires of a response;
- `processes`: the fork server, what a fork becomes, Redis;
- `diagnosis`: what was observed, what it means, and the text that a learner reads.

The course is passed in as a `diagnosis.explanations.Course`: a new diagnosis is one file in `exercises/diagnoses`.
"""
