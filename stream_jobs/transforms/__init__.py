"""Pure functions from Arrow to Arrow: no session, clock, environment or path is seen here."""
