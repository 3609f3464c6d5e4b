"""What is rendered from the contracts; every module here is a pure function of a contract."""
