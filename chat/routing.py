from django.urls import path

from chat.consumers import ChatConsumer

websocket_urlpatterns = [path("ws/o/<slug:organization>/", ChatConsumer.as_asgi())]
