"""One settings file for every process; what differs comes from the environment (contract.md, "Environment")."""

import ipaddress
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from environs import Env, EnvError
from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

from config import keys, periods
from config.logs import mask_tokens

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env()
env.read_env(BASE_DIR / ".env", recurse=False)


def required_in_production(name: str, development: str) -> str:
    """The variable's value; in development a default may stand in, in production its absence is an error that names it."""
    value = env.str(name, "")
    if value:
        return value
    if DEBUG:
        return development
    raise ImproperlyConfigured(f"{name} is not set. In production it must be; .env.example says what it looks like.")


def checked(read, name: str, *args, **kwargs):
    """Reads a typed variable and turns a malformed one into a start-up error that names it."""
    try:
        return read(name, *args, **kwargs)
    except (EnvError, ValueError) as error:
        raise ImproperlyConfigured(f"{name} is malformed: {error}") from error


# The process ----------------------------------------------------------------------------------------------------------

DEBUG = checked(env.bool, "DEBUG", False)
HOST = env.str("HOST", "127.0.0.1")
PORT = checked(env.int, "PORT", 8000)
DATA_DIR = Path(env.str("DATA_DIR", "") or BASE_DIR / ".local").resolve()
SECRET_KEY = required_in_production("SECRET_KEY", "development-only-key-of-parley-never-used-in-production")
ALLOWED_HOSTS = checked(env.list, "ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
if not DEBUG and not ALLOWED_HOSTS:
    raise ImproperlyConfigured("ALLOWED_HOSTS is not set. In production it names the hosts that Parley answers for.")
CSRF_TRUSTED_ORIGINS = checked(env.list, "CSRF_TRUSTED_ORIGINS", [])
WEB_CONCURRENCY = checked(env.int, "WEB_CONCURRENCY", 1)
# What secrets are sealed with, the newest first. In development a key is made of SECRET_KEY (integrations.crypto).
required_in_production("FIELD_ENCRYPTION_KEYS", "")
FIELD_ENCRYPTION_KEYS = checked(env.list, "FIELD_ENCRYPTION_KEYS", [])
checked(lambda name: keys.read(FIELD_ENCRYPTION_KEYS), "FIELD_ENCRYPTION_KEYS")

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.import_export",
    "django.contrib.admin.apps.SimpleAdminConfig",  # config.urls looks for what is administered: workers and commands do without
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "csp",
    "corsheaders",
    "channels",
    "django_celery_beat",
    "django_filters",
    "django_htmx",
    "django_prometheus",
    "django_structlog",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "import_export",
    "pghistory",
    "pgtrigger",
    "rest_framework",
    "config",
    "tenants",
    "integrations",
    "chat",
    "analytics",
    "dashboards",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "tenants.middleware.TenantMiddleware",
    "analytics.middleware.TrackingMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# Stores ---------------------------------------------------------------------------------------------------------------

DATABASE_URL = required_in_production("DATABASE_URL", f"postgresql://postgres@/parley?host={DATA_DIR}/run")
MONGODB_URI = required_in_production("MONGODB_URI", "mongodb://127.0.0.1:27117/?replicaSet=rs0")
try:
    MONGODB_DATABASE = parse_uri(MONGODB_URI)["database"] or "parley"
except PyMongoError as error:
    raise ImproperlyConfigured(f"MONGODB_URI is malformed: {error}") from error
REDIS_URL = required_in_production("REDIS_URL", f"unix://{DATA_DIR}/run/valkey.sock?db=0")
CELERY_BROKER_URL = required_in_production("CELERY_BROKER_URL", f"redis+socket://{DATA_DIR}/run/valkey.sock?virtual_host=1")
for _name, _url, _schemes in (
    ("REDIS_URL", REDIS_URL, ("redis://", "rediss://", "unix://")),
    ("CELERY_BROKER_URL", CELERY_BROKER_URL, ("redis://", "rediss://", "redis+socket://")),
):
    if not _url.startswith(_schemes):
        raise ImproperlyConfigured(f"{_name} is malformed: it begins with {' or '.join(_schemes)}.")

# Everything but `migrate` acts as this role: neither owner nor superuser, so that row-level security holds for it.
DATABASE_ROLE = env.str("DATABASE_ROLE", "parley_app")
DATABASES = {
    "default": {
        **checked(env.dj_db_url, "DATABASE_URL", DATABASE_URL, engine="tenants.database"),
        "ENGINE": "tenants.database",
        "CONN_MAX_AGE": 0,
        # The pool asks a connection whether it lives before it hands it out: PostgreSQL may have been restarted meanwhile.
        "CONN_HEALTH_CHECKS": True,
        "TEST": {"NAME": env.str("TEST_DATABASE", "test_parley")},
    }
}
DATABASES["default"].setdefault("OPTIONS", {})["pool"] = {
    "min_size": 1,
    "max_size": checked(env.int, "DATABASE_POOL", 16),
    "timeout": 2,
    # By default the pool waits longer and longer between two tries, to minutes: then Parley is away long after PostgreSQL is back.
    "reconnect_timeout": 2,
    "max_idle": 60,
}

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "parley",
    }
}

# Files ----------------------------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [("vendor", BASE_DIR / "node_modules")] if (BASE_DIR / "node_modules").is_dir() else []
MEDIA_ROOT = DATA_DIR / "media"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_AUTOREFRESH = False
# Scripts import each other by their plain names, which must never be older than the page: those are asked for again each time.
WHITENOISE_MAX_AGE = 0

# People ---------------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "tenants.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_ADAPTER = "tenants.adapters.AccountAdapter"
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_USER_MODEL_USERNAME_FIELD = "username"
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
MFA_ADAPTER = "tenants.adapters.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = False
MFA_REQUIRED_OF_STAFF = checked(env.bool, "MFA_REQUIRED_OF_STAFF", not DEBUG)
USERSESSIONS_TRACK_ACTIVITY = False
USERSESSIONS_ADAPTER = "tenants.adapters.UserSessionsAdapter"
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = int(timedelta(days=14).total_seconds())
SESSION_COOKIE_HTTPONLY = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
if DEBUG:
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False
SESSION_COOKIE_SAMESITE = "Lax"

_SHADES = {50: (97, 0.02), 100: (94, 0.04), 200: (89, 0.06), 300: (83, 0.08), 400: (76, 0.09), 500: (62, 0.09), 600: (47, 0.08)}
_SHADES |= {700: (41, 0.07), 800: (36, 0.06), 900: (31, 0.05), 950: (22, 0.04)}
UNFOLD = {
    "SITE_TITLE": "Parley administration",
    "SITE_HEADER": "Parley",
    "SITE_URL": "/",
    "SITE_FAVICONS": [{"rel": "icon", "sizes": "any", "type": "image/svg+xml", "href": lambda request: static("tenants/favicon.svg")}],
    "SIDEBAR": {"show_search": True},
    # The pages' teal, in the steps that unfold asks for.
    "COLORS": {"primary": {str(step): f"oklch({light}% {chroma} 183)" for step, (light, chroma) in _SHADES.items()}},
}

EMAIL_URL = env.str("EMAIL_URL", "")
if EMAIL_URL:
    _email = checked(env.dj_email_url, "EMAIL_URL")
    if "EMAIL_BACKEND" not in _email:
        raise ImproperlyConfigured("EMAIL_URL is malformed: it begins with smtp://, smtp+tls://, smtp+ssl://, console: or another backend.")
    globals().update(_email)
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = DATA_DIR / "mail"
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "Parley <parley@localhost>")

# Safety ---------------------------------------------------------------------------------------------------------------

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if checked(env.bool, "BEHIND_PROXY", False) else None
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if SECURE_PROXY_SSL_HEADER else 0  # whose address sign-in is limited by
SECURE_HSTS_SECONDS = 0 if DEBUG else int(timedelta(days=365).total_seconds())
SECURE_SSL_REDIRECT = checked(env.bool, "SECURE_SSL_REDIRECT", False)
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CORS_ALLOWED_ORIGINS = checked(env.list, "CORS_ALLOWED_ORIGINS", [])
CORS_URLS_REGEX = r"^/(api|v1)/.*$"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
# django-unfold needs inline styles and Alpine's expressions; only pages under /admin/ get this policy (tenants.middleware).
ADMIN_CONTENT_SECURITY_POLICY = {
    "script-src": [SELF, "'unsafe-inline'", "'unsafe-eval'"],
    "style-src": [SELF, "'unsafe-inline'"],
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024

# API ------------------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "tenants.authentication.ApiKeyAuthentication",
        "tenants.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["config.json.Renderer"],
    "DEFAULT_PARSER_CLASSES": ["config.json.Parser"],
    "DEFAULT_PAGINATION_CLASS": None,
    "DEFAULT_FILTER_BACKENDS": [],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "config.api.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Parley API",
    "DESCRIPTION": "Conversations with an AI about the people of an organization. Authorize with `Bearer <key>`.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "AccountType": "tenants.choices.AccountType",
        "EmploymentStatus": "tenants.choices.EmploymentStatus",
        "ZodiacSign": "tenants.choices.ZodiacSign",
        "Role": "tenants.choices.Role",
        "ConversationKind": "chat.choices.Kind",
        "ConsultationType": "chat.choices.ConsultationType",
        "ConversationStatus": "chat.choices.ConversationStatus",
        "SubjectType": "chat.choices.SubjectType",
        "ShareAudience": "chat.choices.Audience",
        "PresenceStatus": "chat.choices.PresenceStatus",
        "SessionStatus": "chat.choices.SessionStatus",
        "DeviceType": "chat.choices.DeviceType",
        "MessageRole": "chat.choices.MessageRole",
        "MessageStatus": "chat.choices.MessageStatus",
        "PlatformName": "integrations.choices.PlatformName",
        "ConnectionStatus": "integrations.choices.ConnectionStatus",
        "ErrorType": "config.api.ERROR_TYPES",
        "BridgeChangeType": "integrations.choices.ChangeType",
        "ChatbotType": "integrations.choices.ChatbotType",
    },
}

# Models we call -------------------------------------------------------------------------------------------------------

OPENAI_API_KEY = env.str("OPENAI_API_KEY", "")
OPENAI_BASE_URL = env.str("OPENAI_BASE_URL", "")
OPENAI_MODEL = env.str("OPENAI_MODEL", "gpt-4o-mini")
OPENAI_FALLBACK_MODEL = env.str("OPENAI_FALLBACK_MODEL", "")  # asked when OPENAI_MODEL fails before its first text
# Models that take pictures; one that is not named here is told which pictures it cannot see.
OPENAI_PICTURE_MODELS = frozenset(checked(env.list, "OPENAI_PICTURE_MODELS", ["gpt-4o-mini", "gpt-4o", "gpt-4.1", "gpt-4.1-mini"]))
AI_TITLES = checked(env.bool, "AI_TITLES", True)  # a consultation without a title gets one from its first exchange: a call more
AI_ANALYSES = checked(env.bool, "AI_ANALYSES", True)  # figures, recommendations and next questions beside each answer: a call more
AI_MEMORY = checked(env.bool, "AI_MEMORY", True)  # what was said long ago is summarized: a call more every few turns of a long conversation
AI_ANSWER_CACHE = checked(env.bool, "AI_ANSWER_CACHE", True)  # who asks the same of the same within an hour is given the same answer
OFFLINE_WORDS_PER_SECOND = checked(env.float, "OFFLINE_WORDS_PER_SECOND", 80.0)  # 0: all at once
# Private servers that HTTP tools of organizations may call, besides those of the internet: https://intranet.example.com
TOOL_SERVERS = checked(env.list, "TOOL_SERVERS", [])
PROVIDER_CONNECT_TIMEOUT = checked(env.float, "PROVIDER_CONNECT_TIMEOUT", 5.0)  # seconds, as are the next three
PROVIDER_FIRST_BYTE_TIMEOUT = checked(env.float, "PROVIDER_FIRST_BYTE_TIMEOUT", 60.0)
PROVIDER_IDLE_TIMEOUT = checked(env.float, "PROVIDER_IDLE_TIMEOUT", 30.0)
PROVIDER_TOTAL_TIMEOUT = checked(env.float, "PROVIDER_TOTAL_TIMEOUT", 600.0)

# Platforms we connect --------------------------------------------------------------------------------------------------

GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET = env.str("GOOGLE_CLIENT_ID", ""), env.str("GOOGLE_CLIENT_SECRET", "")
GOOGLE_ADS_DEVELOPER_TOKEN = env.str("GOOGLE_ADS_DEVELOPER_TOKEN", "")
META_APP_ID, META_APP_SECRET = env.str("META_APP_ID", ""), env.str("META_APP_SECRET", "")
# Where the vendors are. One that the environment names is the operator's own, and may be private (integrations.egress).
VENDOR_ADDRESSES = {
    "GOOGLE_AUTHORIZE_URL": "https://accounts.google.com/o/oauth2/v2/auth",
    "GOOGLE_TOKEN_URL": "https://oauth2.googleapis.com/token",
    "GOOGLE_REVOKE_URL": "https://oauth2.googleapis.com/revoke",
    "GOOGLE_ANALYTICS_ADMIN_URL": "https://analyticsadmin.googleapis.com/v1beta",
    "GOOGLE_ANALYTICS_DATA_URL": "https://analyticsdata.googleapis.com/v1beta",
    "GOOGLE_ADS_URL": "https://googleads.googleapis.com/v21",
    "META_AUTHORIZE_URL": "https://www.facebook.com/v23.0/dialog/oauth",
    "META_GRAPH_URL": "https://graph.facebook.com/v23.0",
}
PLATFORM_ADDRESSES = {
    name: written or VENDOR_ADDRESSES[name]
    for name, written in {
        "GOOGLE_AUTHORIZE_URL": env.str("GOOGLE_AUTHORIZE_URL", ""),
        "GOOGLE_TOKEN_URL": env.str("GOOGLE_TOKEN_URL", ""),
        "GOOGLE_REVOKE_URL": env.str("GOOGLE_REVOKE_URL", ""),
        "GOOGLE_ANALYTICS_ADMIN_URL": env.str("GOOGLE_ANALYTICS_ADMIN_URL", ""),
        "GOOGLE_ANALYTICS_DATA_URL": env.str("GOOGLE_ANALYTICS_DATA_URL", ""),
        "GOOGLE_ADS_URL": env.str("GOOGLE_ADS_URL", ""),
        "META_AUTHORIZE_URL": env.str("META_AUTHORIZE_URL", ""),
        "META_GRAPH_URL": env.str("META_GRAPH_URL", ""),
    }.items()
}
for _name, _url in PLATFORM_ADDRESSES.items():
    if not _url.startswith(("https://", "http://")) or not urlsplit(_url).hostname:
        raise ImproperlyConfigured(f"{_name} is malformed: it begins with https:// and names a host.")

# Work -----------------------------------------------------------------------------------------------------------------

CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_timeout": 5, "socket_connect_timeout": 2, "visibility_timeout": 3600}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
DJANGO_CELERY_BEAT_TZ_AWARE = True

# Chat: what a turn may cost and how long it may take -------------------------------------------------------------------

ROLE_LIMITS = checked(env.bool, "ROLE_LIMITS", True)  # all limits; off only for load tests
# Calls a minute by endpoint, 0 for none; what is not named: integrations/limits.py.
ENDPOINT_LIMITS = checked(env.dict, "ENDPOINT_LIMITS", {}, subcast_values=int)
if any(limit < 0 for limit in ENDPOINT_LIMITS.values()):
    raise ImproperlyConfigured("ENDPOINT_LIMITS has a number below 0. Write completions=3000,thread=120,*=6000; 0 is no limit.")
TEXT_LIMIT = 32_000  # characters of one question
ANSWERS_PER_WORKER = checked(env.int, "ANSWERS_PER_WORKER", 500)
# Together these keep the promise that nothing is pending or streaming 15 s after its worker died (tests/faults/test_promises.py).
LEASE_SECONDS = checked(env.float, "LEASE_SECONDS", 8.0)  # an answer whose worker was silent for this long is taken from it
CHECKPOINT_SECONDS = checked(env.float, "CHECKPOINT_SECONDS", 2.0)  # between two partial texts that are kept
SWEEP_SECONDS = checked(env.float, "SWEEP_SECONDS", 2.0)  # between two looks for answers that nobody works on
PICKUP_AGAIN_SECONDS = checked(env.float, "PICKUP_AGAIN_SECONDS", 3.0)  # a worker that did not come is called again after this
PICKUP_SECONDS = checked(env.float, "PICKUP_SECONDS", 12.0)  # an answer nobody has claimed by then is given up with a sentence
SHUTDOWN_SECONDS = checked(env.float, "SHUTDOWN_SECONDS", 8.0)  # a worker that is asked to end gives its answers this long
# Deltas leave together, this far apart: those of one answer, of thirty and more, of a hundred and more, whose way takes longer.
FLUSH_SECONDS = (0.03, 0.097, 0.092)
EVENTS_KEPT = 2_000  # events a conversation's stream holds for resuming
SOCKET_FRAME_LIMIT = 64 * 1024  # bytes

# What is kept, and how long (D2): periods may be shortened, never lengthened ------------------------------------------------

ATTACHMENTS_LIMIT_MIB = checked(env.int, "ATTACHMENTS_LIMIT_MIB", 10_240)  # files of one organization; 0: as many as there is room for
# From the deletion of a conversation until it is removed for good.
DELETED_KEPT_DAYS = checked(env.int, "DELETED_KEPT_DAYS", periods.DELETED.days)
if not 0 <= DELETED_KEPT_DAYS <= periods.DELETED.days:
    raise ImproperlyConfigured(f"DELETED_KEPT_DAYS is {DELETED_KEPT_DAYS}. It is a number of days from 0 to {periods.DELETED.days}.")
ARCHIVED_AFTER_DAYS = checked(env.int, "ARCHIVED_AFTER_DAYS", periods.IDLE.days)  # without a message, unless it is pinned
if not 1 <= ARCHIVED_AFTER_DAYS <= periods.IDLE.days:
    raise ImproperlyConfigured(f"ARCHIVED_AFTER_DAYS is {ARCHIVED_AFTER_DAYS}. It is a number of days from 1 to {periods.IDLE.days}.")

# Watching -------------------------------------------------------------------------------------------------------------

LOG_LEVEL = env.str("LOG_LEVEL", "INFO").upper()
LOG_FORMAT = env.str("LOG_FORMAT", "console" if DEBUG else "json")
if LOG_LEVEL not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
    raise ImproperlyConfigured(f"LOG_LEVEL is {LOG_LEVEL!r}. It is one of DEBUG, INFO, WARNING, ERROR, CRITICAL.")
if LOG_FORMAT not in ("console", "json"):
    raise ImproperlyConfigured(f"LOG_FORMAT is {LOG_FORMAT!r}. It is console or json.")
_BEFORE_RENDERING: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
    mask_tokens,
]
structlog.configure(
    processors=[structlog.stdlib.filter_by_level, *_BEFORE_RENDERING, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "structured": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processor": structlog.processors.JSONRenderer() if LOG_FORMAT == "json" else structlog.dev.ConsoleRenderer(colors=False),
            "foreign_pre_chain": _BEFORE_RENDERING,
        }
    },
    "handlers": {"stream": {"class": "logging.StreamHandler", "formatter": "structured"}},
    "root": {"handlers": ["stream"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "level": LOG_LEVEL, "propagate": True},
        "pymongo": {"level": "WARNING"},
        "httpx2": {"level": "WARNING"},
        "aiohttp.access": {"level": "WARNING"},
    },
}
DJANGO_STRUCTLOG_USER_ID_FIELD = "pk"
SENTRY_DSN = env.str("SENTRY_DSN", "")
if SENTRY_DSN:
    import sentry_sdk  # costs every process a tenth of a second, so only who asks for it pays

    # A frame's variables may be somebody's words, or a token.
    sentry_sdk.init(dsn=SENTRY_DSN, send_default_pii=False, include_local_variables=False, traces_sample_rate=0.0)
PROMETHEUS_EXPORT_MIGRATIONS = False
# Who may read /metrics: addresses and networks, this machine alone unless said otherwise.
METRICS_NETWORKS = checked(
    lambda name, default: [ipaddress.ip_network(network) for network in env.list(name, default)],
    "METRICS_NETWORKS",
    ["127.0.0.0/8", "::1"],
)
