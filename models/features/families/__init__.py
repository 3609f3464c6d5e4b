"""The families of features, one module for each way of looking."""
