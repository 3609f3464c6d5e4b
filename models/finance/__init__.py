"""What a customer's money does, as pure functions of dated amounts in whole cents.

No function here reads a table, a clock or a setting: what counts as today is an argument. Questions
that cannot be answered raise :class:`finlake.errors.UsageProblem` with one line; what is not known
for lack of history is None, with the reason beside it.
"""
