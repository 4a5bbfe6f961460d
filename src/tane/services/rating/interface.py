"""What other services may ask of rating."""

from tane.services.rating.domain.refusing import refuse_spent

__all__ = ["refuse_spent"]
