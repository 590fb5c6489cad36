"""What this app announces, on the event loop where it happened, after it was saved. Who listens must not wait for anything."""

from django.dispatch import Signal

# Keyword arguments: conversation (ConversationRecord), question (MessageRecord). A question to the AI has its place; announced again where
# it was sent again.
question_asked = Signal()

# Keyword argument: answer (MessageRecord). An attempt at an answer has ended, however; announced again where nobody knows whether it was.
answer_ended = Signal()

# Keyword argument: answer (MessageRecord), with what is said of it now.
answer_rated = Signal()
