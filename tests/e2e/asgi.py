"""Parley as it is, but for static files: a browser keeps them for a while. In production it asks for most of them again with each page."""

from config.asgi import application as parley

KEPT = (b"cache-control", b"max-age=3600, public")


async def application(scope, receive, send) -> None:
    async def keep(message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200:
            message["headers"] = [KEPT if name.lower() == KEPT[0] else (name, value) for name, value in message["headers"]]
        await send(message)

    is_file = scope["type"] == "http" and scope["path"].startswith("/static/")
    await parley(scope, receive, keep if is_file else send)
