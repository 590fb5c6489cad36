"""What peers did when they were measured beforehand, for a run that does not measure them itself (`--peers` does).

From the Foundation issue: sessions at 50 tokens a second that one server process holds with a p95 of the added delay under 50 ms, and
the median time it adds to the first token, on a machine with two cores. CPU a token was not recorded then.
"""

from benchmarks.findings import System

SAID = "measured beforehand"
OPEN_WEBUI, CHAINLIT, LITELLM = "Open WebUI", "Chainlit", "LiteLLM proxy"

PEERS = (
    System(OPEN_WEBUI, held=75, first_token_ms=36.0, said=SAID),
    System(CHAINLIT, held=40, first_token_ms=8.0, said=SAID),
    System(LITELLM, held=27, first_token_ms=20.0, said=SAID),
)
TIMES = {OPEN_WEBUI: 3, CHAINLIT: 5, LITELLM: 8}  # how many times their sessions Parley is to hold
CPU_SHARE = 0.25  # of Open WebUI's and Chainlit's CPU a token, at equal sessions
