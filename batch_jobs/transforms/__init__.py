"""Pure functions of the batch jobs: no settings, no network, no clock."""
