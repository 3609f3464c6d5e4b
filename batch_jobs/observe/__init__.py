"""How the whole does: facts that no single process knows, for Prometheus and for a terminal."""

from batch_jobs.observe.exporter import exposed
from batch_jobs.observe.facts import Facts, Observer
from batch_jobs.observe.page import page

__all__ = ["Facts", "Observer", "exposed", "page"]
