"""Alerts within milliseconds, by a process beside the Spark application."""
