"""What the stream remembers between batches; all of it can be read back from silver."""
