"""FinLake's command line; the platform itself lives in the rooms beside this package."""
