"""A program that was written for OpenAI with LangChain, as its documentation shows. Runs in an environment of its own, and prints JSON."""

import json
import os
import sys

from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel


class Score(BaseModel):
    """How well somebody does."""

    name: str
    score: int


@tool
def find(id: str) -> str:
    """Finds an order."""
    return f"order {id} was sent"


def run(address: str, key: str, image: str) -> dict:
    model = ChatOpenAI(model="brief", base_url=address, api_key=key, max_retries=0, stream_usage=True)
    said = model.invoke([SystemMessage("Be kind."), HumanMessage("How is Erik?")])
    chunks = list(model.stream("How is Erik?"))
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    with_tools = model.bind_tools([find])
    asked = [HumanMessage("Where is order 7?")]
    wants = with_tools.invoke(asked)
    (call,) = wants.tool_calls
    answered = with_tools.invoke([*asked, wants, ToolMessage(find.invoke(call["args"]), tool_call_id=call["id"])])
    score = model.with_structured_output(Score, method="json_schema").invoke("Score Erik.")
    shown = model.invoke(
        [HumanMessage([{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": image}}])],
    )
    return {
        "said": said.content,
        "usage": said.usage_metadata,
        "streamed": whole.content,
        "streamed_usage": whole.usage_metadata,
        "call": {name: call[name] for name in ("name", "args", "id")},
        "answered": answered.content,
        "score": score.model_dump(),
        "shown": shown.content,
    }


print(json.dumps(run(os.environ["GATEWAY"], os.environ["GATEWAY_KEY"], sys.argv[1])))
