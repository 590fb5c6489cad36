"""A bridge and what bridges are made of, for tests of every operation there is."""

import uuid

from tests.api.conftest import Caller

TOOL = {"description": "Finds it.", "parameters": {"type": "object"}, "url": "https://shop.example.com/"}


def configured(owner: Caller) -> dict[str, str]:
    """A bridge that was published, and what bridges are made of, by the names under which addresses ask for them."""
    slug = f"m{uuid.uuid4().hex}"
    made = owner.post("bridges", {"name": "Matrix", "slug": slug}).json()
    version = owner.post(f"bridges/{slug}/versions").json()
    return {
        "slug": slug,
        "number": "1",
        "new_slug": f"n{slug}",
        "new_name": f"n{slug}",
        "prompt_id": str(version["prompt"]),
        "trial_id": owner.post(f"bridges/{made['slug']}/trials", {"name": "One", "text": "Hello."}).json()["id"],
        "template_id": owner.post("templates", {"name": slug, "text": "Hello."}).json()["id"],
        "tool_id": owner.post("api-calls", {**TOOL, "name": slug}).json()["id"],
        "model_id": owner.post("model-configurations", {"name": slug, "model": "m-1"}).json()["id"],
        "chatbot_id": owner.post("chatbots", {"title": slug}).json()["id"],
    }
