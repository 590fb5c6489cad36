"""A bridge and what bridges are made of, for tests of every operation there is."""

import uuid

from tests.api.conftest import Caller

TOOL = {"description": "Finds it.", "parameters": {"type": "object"}, "url": "https://shop.example.com/"}


ALL = {"slug", "number", "prompt_id", "trial_id", "new_slug", "new_name", "template_id", "tool_id", "model_id", "chatbot_id"}


def configured(owner: Caller, named: set[str] = ALL) -> dict[str, str]:
    """A bridge that was published, and what bridges are made of, by the names under which addresses ask for them; of these, those that
    are named."""
    slug = f"m{uuid.uuid4().hex}"
    made = {"slug": slug, "new_slug": f"n{slug}", "new_name": f"n{slug}"}
    if named & {"slug", "number", "prompt_id", "trial_id"}:
        owner.post("bridges", {"name": "Matrix", "slug": slug})
        made |= {"number": "1", "prompt_id": str(owner.post(f"bridges/{slug}/versions").json()["prompt"])}
        made["trial_id"] = owner.post(f"bridges/{slug}/trials", {"name": "One", "text": "Hello."}).json()["id"]
    if "template_id" in named:
        made["template_id"] = owner.post("templates", {"name": slug, "text": "Hello."}).json()["id"]
    if "tool_id" in named:
        made["tool_id"] = owner.post("api-calls", {**TOOL, "name": slug}).json()["id"]
    if "model_id" in named:
        made["model_id"] = owner.post("model-configurations", {"name": slug, "model": "m-1"}).json()["id"]
    if "chatbot_id" in named:
        made["chatbot_id"] = owner.post("chatbots", {"title": slug}).json()["id"]
    return made
