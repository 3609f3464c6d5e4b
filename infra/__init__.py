"""Settings, the embedded stack, the lake's tables and what deployments need."""
