"""Scores of the models as the changes come, by a process beside the Spark application."""
