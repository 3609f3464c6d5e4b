"""The embedded stack: real components as supervised child processes on loopback, without root."""
