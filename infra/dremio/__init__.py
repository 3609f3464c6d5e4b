"""Dremio as code: what it should know of the lake, and how it is brought there."""
