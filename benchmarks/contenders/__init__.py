"""Other queue libraries behind the same contract as the five patterns: `kit bench --contender NAME`."""
