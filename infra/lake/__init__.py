"""The Delta tables: where they are, how to open them, how to ask them."""
