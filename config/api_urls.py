"""Every address of the REST API, below `/api/v1/`. None ends in a slash; `Unknown` answers for all others."""

from django.urls import path, re_path

from chat import api as chat
from config.api import Unknown
from tenants import api as tenants

app_name = "api"
urlpatterns = [
    path("me", tenants.Me.as_view(), name="me"),
    path("me/sign-ins", tenants.SignIns.as_view(), name="sign-ins"),
    path("me/sign-ins/<int:sign_in_id>", tenants.SignIn.as_view(), name="sign-in"),
    path("employees", tenants.Employees.as_view(), name="employees"),
    path("employees/<uuid:employee_id>", tenants.Employee.as_view(), name="employee"),
    path("branches", tenants.Branches.as_view(), name="branches"),
    path("branches/<uuid:branch_id>", tenants.Branch.as_view(), name="branch"),
    path("departments", tenants.Departments.as_view(), name="departments"),
    path("departments/<uuid:department_id>", tenants.Department.as_view(), name="department"),
    path("conversations", chat.Conversations.as_view(), name="conversations"),
    path("conversations/import", chat.Import.as_view(), name="import"),
    path("conversations/<uuid:conversation_id>", chat.Conversation.as_view(), name="conversation"),
    path("conversations/<uuid:conversation_id>/pin", chat.Pin.as_view(), name="pin"),
    path("conversations/<uuid:conversation_id>/archive", chat.Archive.as_view(), name="archive"),
    path("conversations/<uuid:conversation_id>/restore", chat.Restore.as_view(), name="restore"),
    path("conversations/<uuid:conversation_id>/read", chat.Read.as_view(), name="read"),
    path("conversations/<uuid:conversation_id>/presence", chat.Presence.as_view(), name="presence"),
    path("conversations/<uuid:conversation_id>/export", chat.Export.as_view(), name="export"),
    path("conversations/<uuid:conversation_id>/context", chat.Context.as_view(), name="context"),
    path("conversations/<uuid:conversation_id>/shares", chat.Shares.as_view(), name="shares"),
    path("conversations/<uuid:conversation_id>/shares/<uuid:share_id>", chat.Share.as_view(), name="share"),
    path("conversations/<uuid:conversation_id>/messages", chat.Messages.as_view(), name="messages"),
    path("conversations/<uuid:conversation_id>/queue", chat.Queue.as_view(), name="queue"),
    path("conversations/<uuid:conversation_id>/queue/next", chat.Next.as_view(), name="next"),
    path("conversations/<uuid:conversation_id>/queue/<uuid:question_id>", chat.Waiting.as_view(), name="waiting"),
    path("conversations/<uuid:conversation_id>/strands", chat.Strands.as_view(), name="strands"),
    path("conversations/<uuid:conversation_id>/events", chat.Events.as_view(), name="events"),
    path("conversations/<uuid:conversation_id>/attachments", chat.Attachments.as_view(), name="attachments"),
    path("attachments/<uuid:attachment_id>", chat.Attachment.as_view(), name="attachment"),
    path("attachments/<uuid:attachment_id>/thumbnail", chat.Thumbnail.as_view(), name="thumbnail"),
    path("messages/<uuid:message_id>", chat.Message.as_view(), name="message"),
    path("messages/<uuid:message_id>/stop", chat.Stop.as_view(), name="stop"),
    path("messages/<uuid:message_id>/retry", chat.Retry.as_view(), name="retry"),
    path("messages/<uuid:message_id>/regenerate", chat.Regenerate.as_view(), name="regenerate"),
    path("messages/<uuid:message_id>/versions", chat.Versions.as_view(), name="versions"),
    path("messages/<uuid:message_id>/feedback", chat.Feedback.as_view(), name="feedback"),
    path("sessions", chat.Sessions.as_view(), name="sessions"),
    path("search", chat.Search.as_view(), name="search"),
    re_path(r"^.*$", Unknown.as_view(), name="unknown"),
]
