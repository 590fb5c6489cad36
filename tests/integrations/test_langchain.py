"""LangChain's ChatOpenAI, unmodified and with its own version of openai, against the gateway."""

import json
import subprocess
from pathlib import Path

from django.conf import settings as configured

from tests.integrations.test_gateway import PIECES, image, port, site, use

__all__ = ["port", "site"]

PYTHON = configured.BASE_DIR / ".cache" / "langchain" / "bin" / "python"
PROGRAM = Path(__file__).with_name("langchain_client.py")
ANSWER = "".join(PIECES)


def test_langchain_speaks_with_the_gateway(site, settings):
    settings.OPENAI_PICTURE_MODELS = {"gpt-4o-mini"}
    assert PYTHON.exists(), "LangChain's environment is not there. Make it: make .cache/langchain/installed.stamp"
    plain = {"pieces": PIECES}
    wanted = {"uses": [use(arguments='{"id": "7"}')]}
    site.answers = [plain, plain, wanted, {"pieces": ("It was sent.",)}, {"pieces": ('{"name": "Erik", "score": 82}',)}, plain]
    environment = {"GATEWAY": f"http://127.0.0.1:{site.port}/v1", "GATEWAY_KEY": site.key, "LANGSMITH_TRACING": "false"}
    done = subprocess.run([str(PYTHON), str(PROGRAM), image()], env=environment, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert (found["said"], found["streamed"], found["shown"]) == (ANSWER, ANSWER, ANSWER)
    for name in ("usage", "streamed_usage"):
        assert (found[name]["input_tokens"], found[name]["output_tokens"], found[name]["total_tokens"]) == (20, 6, 26)
        assert (found[name]["input_token_details"]["cache_read"], found[name]["output_token_details"]["reasoning"]) == (8, 2)
    assert found["call"] == {"name": "find", "args": {"id": "7"}, "id": "call_1"}
    assert found["answered"] == "It was sent."
    assert found["score"] == {"name": "Erik", "score": 82}
    told = [said["messages"] for said, _ in site.asked]
    assert [message["role"] for message in told[3]] == ["system", "user", "assistant", "tool"]
    assert told[3][-1] == {"role": "tool", "content": "order 7 was sent", "tool_call_id": "call_1"}
    assert site.asked[4][0]["response_format"]["json_schema"]["name"] == "Score"
