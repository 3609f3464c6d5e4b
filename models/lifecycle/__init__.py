"""From training to retirement: who may serve, whether it still may, and what is known of it."""
