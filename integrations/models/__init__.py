from integrations.models.budgets import Budget, BudgetHold, BudgetPeriod
from integrations.models.configuration import (
    ApiCall,
    Bridge,
    BridgeChange,
    BridgeVersion,
    Chatbot,
    ModelConfiguration,
    PromptVersion,
    Template,
    Trial,
)
from integrations.models.connections import PlatformConnection
from integrations.models.ledger import CallMetric, ModelCall
from integrations.models.prices import ModelPrice

__all__ = [
    "ApiCall",
    "Bridge",
    "BridgeChange",
    "BridgeVersion",
    "Budget",
    "BudgetHold",
    "BudgetPeriod",
    "CallMetric",
    "Chatbot",
    "ModelCall",
    "ModelConfiguration",
    "ModelPrice",
    "PlatformConnection",
    "PromptVersion",
    "Template",
    "Trial",
]
