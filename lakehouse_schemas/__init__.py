"""The tables of the lakehouse: one contract each, and everything rendered from it."""

from lakehouse_schemas.model import Column, Contract, ContractError, Expectation

__all__ = ["Column", "Contract", "ContractError", "Expectation"]
