"""Other queue libraries, each with the same contract as the five: `kit bench --contender NAME`."""
