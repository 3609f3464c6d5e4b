"""Features and models of transactions, used by the stream, the batch jobs and the API alike."""

import os

# Threads of the learners' libraries spin while they wait for each other: with other programs on the
# same two cores a model took 16 s of processor time instead of 3. Read when a library is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
