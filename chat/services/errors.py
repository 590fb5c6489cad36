"""What can go wrong with a wish of a person's, each with a sentence that says what to do."""


class ChatError(Exception):
    """A refusal. `code` is for programs, `sentence` for people, `http_status` for the API, `retry_after` in seconds."""

    code = "refused"
    http_status = 400
    sentence = "That is not possible."
    retry_after: float | None = None
    field: str | None = None

    def __init__(self, sentence: str | None = None) -> None:
        super().__init__(sentence or self.sentence)
        self.sentence = sentence or self.sentence


class LimitReached(ChatError):
    code, http_status = "limit_reached", 429

    def __init__(self, *, limit: int, window: str, retry_after: int) -> None:
        super().__init__(f"You have sent {limit} messages within one {window}. You can go on in {retry_after} seconds.")
        self.retry_after = retry_after


class LimitReachedTogether(LimitReached):
    """The organization, or a conversation of it, takes no more for now."""

    def __init__(self, *, thread: bool, limit: int, retry_after: int) -> None:
        whose = "This conversation" if thread else "Your organization"
        ChatError.__init__(self, f"{whose} takes {limit} messages a minute, and has had them. You can go on in {retry_after} seconds.")
        self.retry_after = retry_after


class ConversationClosed(ChatError):
    code, http_status = "conversation_closed", 409
    sentence = "This conversation is archived. Restore it to go on."


class ThreadOfPrograms(ChatError):
    code, http_status = "thread_of_programs", 409
    sentence = "Programs talk in this conversation. Ask its bridge instead."


class ClientIdReused(ChatError):
    code, http_status, field = "client_id_reused", 422, "client_id"
    sentence = "This client_id was used for another message. Use a new one for each message."


class TextMissing(ChatError):
    code, field = "text_missing", "text"
    sentence = "The message is empty. Write something first."


class TextTooLong(ChatError):
    code, field = "text_too_long", "text"

    def __init__(self, *, limit: int) -> None:
        super().__init__(f"The message is too long. {limit:,} characters are the most.")


class TooLongToPrint(ChatError):
    code, http_status = "too_long_to_print", 409
    sentence = "This conversation is too long for a PDF. Download it as Markdown or JSON instead."


class NothingToRetry(ChatError):
    code, http_status = "nothing_to_retry", 409
    sentence = "Only an answer that was interrupted, stopped or failed can be retried."


class NothingToStop(ChatError):
    code, http_status = "nothing_to_stop", 409
    sentence = "Only an answer can be stopped."


class NothingToRegenerate(ChatError):
    code, http_status = "nothing_to_regenerate", 409
    sentence = "Only a finished answer can be written again."


class NotTheNewest(ChatError):
    code, http_status = "not_the_newest", 409
    sentence = "Only the newest answer of a conversation can be written again. Ask your question anew instead."


class NothingToEdit(ChatError):
    code, http_status = "nothing_to_edit", 409
    sentence = "Only a question of a consultation can be edited."


class TooManyStrands(ChatError):
    code, http_status = "too_many_strands", 409

    def __init__(self, *, limit: int) -> None:
        super().__init__(f"Questions of this conversation were edited {limit} times, which is the most. Ask a new question instead.")


class QueueFull(ChatError):
    code, http_status = "queue_full", 409

    def __init__(self, *, limit: int) -> None:
        super().__init__(f"{limit} questions wait in this conversation, which is the most. Wait for an answer, or remove one.")


class AskedAlready(ChatError):
    code, http_status = "asked_already", 409
    sentence = "This question is being asked already."


class UnknownStrand(ChatError):
    code, field = "unknown_strand", "strand"
    sentence = "This conversation has no such strand. Choose one of those it has."


class NothingToRate(ChatError):
    code, http_status = "nothing_to_rate", 409
    sentence = "Only an answer that has ended can be rated."


class FeedbackMissing(ChatError):
    code = "feedback_missing"
    sentence = "Say whether it helped, give stars or write a comment."


class RatingWrong(ChatError):
    code, field = "rating_wrong", "rating"
    sentence = "A rating is 1 to 5 stars."


class CommentTooLong(ChatError):
    code, field = "comment_too_long", "comment"

    def __init__(self, *, limit: int) -> None:
        super().__init__(f"The comment is too long. {limit:,} characters are the most.")


class UnknownSubjects(ChatError):
    code, field = "unknown_employees", "subject_employee_ids"
    sentence = "One of the chosen employees does not exist or is not yours to see."


class UnknownPeople(ChatError):
    code, field = "unknown_people", "users"
    sentence = "One of these people is not a member of your organization."


class WrongSubjects(ChatError):
    code, field = "wrong_subjects", "subject_employee_ids"


class TitleWrong(ChatError):
    code, field = "title_wrong", "title"
    sentence = "A title has between 1 and 200 characters."


class SearchNotUnderstood(ChatError):
    code, field = "not_understood", "q"
    sentence = "This search is not understood."


class SearchTooBroad(ChatError):
    code, field = "too_broad", "q"
    sentence = "This is in too many messages. Add a longer word that is rarer."


class SearchAway(ChatError):
    code, http_status, retry_after = "search_away", 503, 30
    sentence = "The search is being made ready after an update of Parley. Try again in a minute."


class TooManyShares(ChatError):
    code, http_status = "too_many_shares", 409

    def __init__(self, *, limit: int) -> None:
        super().__init__(f"This conversation has {limit} open links, which is the most. Revoke one first.")


class FileWrong(ChatError):
    """A file's fields do not fit together; `field` is the path of the one that does not."""

    code = "file_wrong"

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


class FileRefused(ChatError):
    """The file is not what may be attached; the sentence says why."""

    code, field = "file_refused", "file"


class FileTooLarge(ChatError):
    code, http_status, field = "too_large", 413, "file"

    def __init__(self, *, limit: int) -> None:
        super().__init__(f"A file has {limit // 1024**2} MB at most. Send a smaller one.")


class TooManyFiles(ChatError):
    code, field = "too_many_files", "attachment_ids"

    def __init__(self, *, limit: int) -> None:
        super().__init__(f"A message takes {limit} files at most. Send the others with the next one.")


class TooManyWaiting(ChatError):
    code, http_status = "too_many_waiting", 409

    def __init__(self, *, limit: int) -> None:
        super().__init__(f"You have uploaded {limit} files and not sent them, which is the most. Send or remove some first.")


class StorageFull(ChatError):
    code, http_status = "storage_full", 409

    def __init__(self, *, limit: int) -> None:
        super().__init__(f"The files of your organization take up {limit:,} MiB, which is the most. Delete what nobody needs any more.")


class UnknownFile(ChatError):
    code, field = "unknown_file", "attachment_ids"
    sentence = "One of the files is not there any more. Attach it again."


class UnknownReply(ChatError):
    code, field = "unknown_message", "reply_to"
    sentence = "The message that you reply to is not in this conversation. Choose one of its messages."


class NothingToReplyTo(ChatError):
    code, http_status, field = "nothing_to_reply_to", 409, "reply_to"
    sentence = "That message says nothing yet. Reply when its answer is complete."


class FileSent(ChatError):
    code, http_status = "file_sent", 409
    sentence = "This file was sent with a message and stays with it."


class Busy(ChatError):
    code, http_status, retry_after = "busy", 503, 5
    sentence = "Too many files are worked on at once. Try again in a few seconds."


class StoreAway(ChatError):
    code, http_status, retry_after = "store_away", 503, 2
    sentence = "Parley cannot reach its store right now. Your text is kept; it is sent as soon as possible."
