"""The service over gold and the model registry: insights into a customer's money, by HTTP.

Read :mod:`api.table` first: every route, who may call it, and the function that answers.
"""

from api.app import create_app

__all__ = ["create_app"]
