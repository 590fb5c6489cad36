"""The rollups, each after those whose tables it reads."""

from analytics.rollups.activity import ENGAGEMENT, FEATURE_USE
from analytics.rollups.base import Rollup
from analytics.rollups.ledger import MODEL_USE
from analytics.rollups.sittings import AI_CHAT
from analytics.rollups.standing import ADOPTION, IMPACT
from analytics.rollups.talk import CHAT

ROLLUPS: tuple[Rollup, ...] = (ENGAGEMENT, FEATURE_USE, AI_CHAT, CHAT, MODEL_USE, ADOPTION, IMPACT)
BY_NAME = {rollup.name: rollup for rollup in ROLLUPS}
