"""Training and judging of fraud models, on splits by time that respect when labels arrive."""
