"""Every Redis key of the chat, with its type and its time to live. Everything here may vanish at any second (D7)."""

EVENTS_TTL = 3_600  # seconds without an event until a conversation's stream is forgotten
STOPS_TTL = 60
CALLS_TTL = 60
QUEUE_TTL = 3_600
READING_TTL = 3_600  # seconds in which a person who reads another's conversation is recorded once
AI_QUEUE_TTL = 900
AI_CACHE_TTL = 3_600  # seconds for which an answer may be given again
CONTEXT_TTL = 1_800  # seconds without an answer until what was read for a conversation is read anew
SESSION_TTL = 86_400
PRESENCE_TTL = 300  # refreshed by the process that holds the tab, as are those who view a conversation
VIEWERS_TTL = 300
TYPING_TTL = 5
LIMIT_WINDOWS = {"minute": 60, "hour": 3_600, "day": 86_400}


def events(conversation_id: str) -> str:
    """Stream: a conversation's latest events, id `<n>-0`, one field `e` with the event as JSON. EVENTS_TTL."""
    return f"chat:events:{{{conversation_id}}}"


def event_number(conversation_id: str) -> str:
    """String: the number of a conversation's latest event. EVENTS_TTL. The braces keep it beside its stream in a cluster."""
    return f"chat:events:{{{conversation_id}}}:n"


def event_channel(conversation_id: str) -> str:
    """Publish/subscribe channel on which a conversation's events are hinted at."""
    return f"chat:hint:{conversation_id}"


ACCESS_CHANNEL = "chat:access"
"""Publish/subscribe channel: `<user id>` of a person whose rights changed; sockets look again at once."""

MEMORY = "chat:memory"
"""String: by which web processes notice that Redis was emptied. Set by the first who looks; lives as long as Redis does."""

CALLS = "chat:calls"
"""List: pending answers that want a worker, as JSON, oldest last. CALLS_TTL. A call that is lost is made again by the sweeper."""

STOPS = "chat:stops"
"""Set: answers that somebody wants stopped, as `stop` names them. STOPS_TTL. The durable wish is on the message."""


def stop(message_id: str, *, attempt: int) -> str:
    """An attempt at an answer, in STOPS: the next attempt is not meant."""
    return f"{message_id}:{attempt}"


def queue(conversation_id: str) -> str:
    """List: the questions that wait in a conversation, oldest first, as JSON {messageId, role, content, timestamp, userId, status}
    (S0-97). QUEUE_TTL. A view for whoever looks from outside: MongoDB has them."""
    return f"chat:queue:{conversation_id}"


def reading(conversation_id: str, *, user_id: str) -> str:
    """String: this person's reading of another's conversation is recorded already. READING_TTL."""
    return f"chat:reading:{conversation_id}:{user_id}"


def context(conversation_id: str) -> str:
    """String: what a conversation's last answers rested on, as JSON (S0-108); see `chat.realtime.facts`. CONTEXT_TTL."""
    return f"chat:context:{conversation_id}"


def ai_queue(conversation_id: str, message_id: str) -> str:
    """Hash: how far an answer is (S0-107): status, queuedAt, processingStartedAt, completedAt, retryCount, error. AI_QUEUE_TTL."""
    return f"chat:ai-queue:{conversation_id}:{message_id}"


def ai_cache(organization_id: str, *, bridge: str, version: str, digest: str) -> str:
    """String: an answer to be given again, as JSON (S0-98, D5); see `chat.services.earlier`. AI_CACHE_TTL."""
    return f"chat:ai-cache:{organization_id}:{bridge}:{version}:{digest}"


def ai_caches(organization_id: str) -> str:
    """Pattern: every answer of an organization's that may be given again."""
    return f"chat:ai-cache:{organization_id}:*"


def of_person(user_id: str) -> str:
    """Pattern: every key that names a person."""
    return f"chat:*{user_id}*"


def limit(user_id: str, window: str) -> str:
    """String: messages a person sent in this window (S0-99…101). TTL: the window."""
    return f"chat:ratelimit:{user_id}:{window}"


def session(session_id: str) -> str:
    """Hash: an open tab (S0-94): userId, organizationId, userRole, socketId, connectionId, connectedAt, lastActivity, presenceStatus,
    activeConversations. SESSION_TTL from the last activity on."""
    return f"chat:session:{session_id}"


def presence(user_id: str) -> str:
    """String: `<session id>|<presence>|<when last seen>` of the tab that a person used last (S0-95). PRESENCE_TTL."""
    return f"chat:presence:{user_id}"


def typing(conversation_id: str, user_id: str) -> str:
    """String: `typing` (S0-96). TYPING_TTL."""
    return f"chat:typing:{conversation_id}:{user_id}"


def participants(conversation_id: str) -> str:
    """Set: ids of the people who view a conversation (S0-105). VIEWERS_TTL; gone when empty."""
    return f"chat:participants:{conversation_id}"


def room(conversation_id: str) -> str:
    """Set: ids of the sockets that joined a conversation (S0-106). VIEWERS_TTL; gone when empty."""
    return f"chat:room:{conversation_id}"


def of_conversation(conversation_id: str) -> tuple[str, ...]:
    """Every key of a conversation that does not name something else, too: those go by themselves within the hour."""
    return (
        events(conversation_id),
        event_number(conversation_id),
        context(conversation_id),
        participants(conversation_id),
        queue(conversation_id),
        room(conversation_id),
    )


def watch_channel(organization_id: str, what: str) -> str:
    """Publish/subscribe channel: a frame for every tab of an organization that watches this."""
    return f"chat:watch:{organization_id}:{what}"


def news_channel(organization_id: str) -> str:
    """Publish/subscribe channel: JSON `[[conversation id, user id or null], …]` whose unread messages changed, for that person or all."""
    return f"chat:news:{organization_id}"
