"""Rendered from the table contracts by `make generate`; do not edit."""
