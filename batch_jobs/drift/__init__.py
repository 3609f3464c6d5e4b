"""How a champion is: drift of what it looks at and answers, decay of what it finds."""

from batch_jobs.drift.job import Health, health, note_health

__all__ = ["Health", "health", "note_health"]
