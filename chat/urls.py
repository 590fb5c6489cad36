"""The pages' addresses. The organization's slug comes first in every one of them, but for the way in and the links to copies."""

from django.urls import path

from chat import connections, views

app_name = "chat"

_CHAT = "o/<slug:organization>/chat/"
_ONE = f"{_CHAT}<uuid:conversation>/"
_CONNECTIONS = "o/<slug:organization>/connections/"

urlpatterns = [
    path("", views.front, name="front"),
    path("s/<str:token>/", views.shared, name="shared"),
    path("o/<slug:organization>/", views.home, name="home"),
    path(_CHAT, views.inbox, name="inbox"),
    path(f"{_CHAT}new/", views.start, name="start"),
    path(f"{_CHAT}new/people/", views.people, name="people"),
    path(f"{_CHAT}search/", views.search, name="search"),
    path(f"{_CHAT}import/", views.import_file, name="import"),
    path(_ONE, views.conversation, name="conversation"),
    path(f"{_ONE}send/", views.send, name="send"),
    path(f"{_ONE}queue/", views.queue, name="queue"),
    path(f"{_ONE}queue/next/", views.ask_next, name="next"),
    path(f"{_ONE}queue/<uuid:question>/take-back/", views.take_back, name="take_back"),
    path(f"{_ONE}attachments/<uuid:attachment>/", views.attachment, name="attachment"),
    path(f"{_ONE}attachments/<uuid:attachment>/picture/", views.picture, name="picture"),
    path(f"{_ONE}messages/<uuid:message>/stop/", views.stop, name="stop"),
    path(f"{_ONE}messages/<uuid:message>/retry/", views.retry, name="retry"),
    path(f"{_ONE}readers/", views.readers, name="readers"),
    path(f"{_ONE}strand/", views.look_at, name="strand"),
    path(f"{_ONE}messages/<uuid:message>/edit/", views.edit, name="edit"),
    path(f"{_ONE}messages/<uuid:message>/regenerate/", views.regenerate, name="regenerate"),
    path(f"{_ONE}messages/<uuid:message>/versions/", views.versions, name="versions"),
    path(f"{_ONE}messages/<uuid:message>/feedback/", views.give_feedback, name="feedback"),
    path(f"{_ONE}context/", views.context, name="context"),
    path(f"{_ONE}context/<uuid:employee>/", views.correct, name="correct"),
    path(f"{_ONE}rename/", views.rename, name="rename"),
    path(f"{_ONE}pin/", views.pin, name="pin"),
    path(f"{_ONE}archive/", views.archive, name="archive"),
    path(f"{_ONE}restore/", views.restore, name="restore"),
    path(f"{_ONE}export/", views.export, name="export"),
    path(f"{_ONE}shares/", views.shares, name="shares"),
    path(f"{_ONE}shares/<uuid:share>/revoke/", views.revoke, name="revoke"),
    path(f"{_ONE}delete/", views.delete, name="delete"),
    path(_CONNECTIONS, connections.overview, name="connections"),
    path(f"{_CONNECTIONS}<slug:platform>/connect/", connections.connect, name="connect"),
    path(f"{_CONNECTIONS}<slug:platform>/demo/", connections.connect_demo, name="connect_demo"),
    path(f"{_CONNECTIONS}<uuid:connection>/account/", connections.choose, name="choose_account"),
    path(f"{_CONNECTIONS}<uuid:connection>/disconnect/", connections.disconnect, name="disconnect"),
]
