"""ASGI: the gateway answers `/v1/`, Django all other HTTP, one Channels consumer sockets."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django_application = get_asgi_application()  # before anything that needs the apps to be loaded

from channels.routing import ProtocolTypeRouter, URLRouter

from chat import devices, routing
from config import loop
from integrations.gateway import Gateway

application = ProtocolTypeRouter({"http": Gateway(django_application), "websocket": URLRouter(routing.websocket_urlpatterns)})

devices.preload()
loop.settle()
