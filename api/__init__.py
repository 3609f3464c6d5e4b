"""The service over gold and the model registry: insights into a customer's money, by HTTP.

Read :mod:`api.table` first: every route, who may call it, and the function that answers.
:mod:`api.client` asks it, and imports nothing of the service.
"""
