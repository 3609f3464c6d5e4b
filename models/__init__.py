"""Features and models of transactions, used by the stream, the batch jobs and the API alike."""
