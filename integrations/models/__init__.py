from integrations.models.ledger import ModelCall
from integrations.models.prices import ModelPrice

__all__ = ["ModelCall", "ModelPrice"]
