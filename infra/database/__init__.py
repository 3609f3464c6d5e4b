"""The source database: its users and its tables."""
