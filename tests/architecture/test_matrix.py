"""Who may do what: every operation there is (addresses, REST operations, socket frames) by every kind of person, on Olive's things.

The table below is the expectation, written by hand. An operation that is not in it fails the run, and so does a row whose operation
is gone. Every cell is tried for real, every identifier is tried with another organization's too, and whatever strangers tried has
changed nothing.

Cells: a status; `login` is the way to the sign-in page; for frames `yes`, `404` or another error's code,
or `closed` for a socket that does not open.
"""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from chat.documents import Attachment, Conversation, Message, Share
from chat.frames import TABLE as FRAMES
from chat.services import attachments
from config import json, mongo
from integrations.models import Bridge, Budget
from tenants import access, scoping
from tenants.choices import Role
from tenants.services import accounts
from tests.api.conftest import Caller, cast, server, signed_in, with_key
from tests.api.test_conversations import start
from tests.api.test_messages import say
from tests.cast import Cast, Person, make_person
from tests.chat.files import keep_file
from tests.configured import ALL as OF_CONFIGURATION
from tests.configured import configured

__all__ = ["cast", "server"]

pytestmark = pytest.mark.django_db

# nobody: not signed in · susp: a suspended account with its old session and key · olive: owner, in a browser · key: her API key ·
# liam: leader · mona: manager · ada: support agent · vera: guest · greta: owner of Globex · sam: platform staff
PRINCIPALS = ("nobody", "susp", "olive", "key", "liam", "mona", "ada", "vera", "greta", "sam")
OWNERS = ("olive", "key")

MATRIX = """
                                                                    nobody  susp olive   key  liam  mona   ada  vera greta   sam
GET    /healthz                                                        200   200   200   200   200   200   200   200   200   200
GET    /readyz                                                         200   200   200   200   200   200   200   200   200   200
GET    /metrics                                                        200   200   200   200   200   200   200   200   200   200
GET    /favicon.ico                                                    302   302   302   302   302   302   302   302   302   302
GET    /api/schema/                                                    200   200   200   200   200   200   200   200   200   200
GET    /api/docs/                                                      200   200   200   200   200   200   200   200   200   200

GET    /api/v1/me                                                      401   401   200   200   200   200   200   200   200   200
GET    /api/v1/me/sign-ins                                             401   401   200   200   200   200   200   200   200   200
DELETE /api/v1/me/sign-ins/{sign_in_id}                                401   401   204   204   404   404   404   404   404   404
GET    /api/v1/employees                                               401   401   200   200   200   200   403   403   200   403
GET    /api/v1/employees/{employee_id}                                 401   401   200   200   404   404   403   403   404   403
POST   /api/v1/employees                                               401   401   201   201   201   403   403   403   201   403
PATCH  /api/v1/employees/{employee_id}                                 401   401   200   200   404   403   403   403   404   403
GET    /api/v1/branches                                                401   401   200   200   200   200   403   403   200   403
GET    /api/v1/branches/{branch_id}                                    401   401   200   200   404   404   403   403   404   403
GET    /api/v1/departments                                             401   401   200   200   200   200   403   403   200   403
GET    /api/v1/departments/{department_id}                             401   401   200   200   404   404   403   403   404   403
GET    /api/v1/conversations                                           401   401   200   200   200   200   200   200   200   403
POST   /api/v1/conversations                                           401   401   201   201   400   400   403   403   400   403
POST   /api/v1/conversations/import                                    401   401   201   201   201   201   403   403   201   403
GET    /api/v1/conversations/{conversation_id}                         401   401   200   200   404   404   404   404   404   403
PATCH  /api/v1/conversations/{conversation_id}                         401   401   200   200   404   404   404   404   404   403
DELETE /api/v1/conversations/{conversation_id}                         401   401   204   204   404   404   404   404   404   403
POST   /api/v1/conversations/{conversation_id}/pin                     401   401   200   200   404   404   404   404   404   403
POST   /api/v1/conversations/{conversation_id}/archive                 401   401   200   200   404   404   404   404   404   403
POST   /api/v1/conversations/{conversation_id}/restore                 401   401   200   200   404   404   404   404   404   403
POST   /api/v1/conversations/{conversation_id}/read                    401   401   200   200   404   404   404   404   404   403
GET    /api/v1/conversations/{conversation_id}/presence                401   401   200   200   404   404   404   404   404   403
GET    /api/v1/sessions                                                401   401   200   200   200   200   200   200   200   403
GET    /api/v1/conversations/{conversation_id}/export                  401   401   200   200   404   404   404   404   404   403
GET    /api/v1/conversations/{conversation_id}/context                 401   401   200   200   404   404   404   404   404   403
GET    /api/v1/conversations/{conversation_id}/shares                  401   401   200   200   404   404   404   404   404   403
POST   /api/v1/conversations/{conversation_id}/shares                  401   401   201   201   404   404   404   404   404   403
DELETE /api/v1/conversations/{conversation_id}/shares/{share_id}       401   401   204   204   404   404   404   404   404   403
GET    /api/v1/conversations/{conversation_id}/messages                401   401   200   200   404   404   404   404   404   403
POST   /api/v1/conversations/{conversation_id}/messages                401   401   201   201   404   404   404   404   404   403
POST   /api/v1/conversations/{conversation_id}/attachments             401   401   201   201   404   404   404   404   404   403
GET    /api/v1/attachments/{attachment_id}                             401   401   200   200   404   404   404   404   404   403
DELETE /api/v1/attachments/{attachment_id}                             401   401   204   204   404   404   404   404   404   403
GET    /api/v1/attachments/{attachment_id}/thumbnail                   401   401   200   200   404   404   404   404   404   403
GET    /api/v1/conversations/{conversation_id}/events                  401   401   200   200   404   404   404   404   404   403
GET    /api/v1/messages/{message_id}                                   401   401   200   200   404   404   404   404   404   403
POST   /api/v1/messages/{message_id}/stop                              401   401   200   200   404   404   404   404   404   403
POST   /api/v1/messages/{message_id}/retry                             401   401   200   200   404   404   404   404   404   403
PATCH  /api/v1/messages/{message_id}                                   401   401   409   409   404   404   404   404   404   403
GET    /api/v1/conversations/{conversation_id}/strands                 401   401   200   200   404   404   404   404   404   403
POST   /api/v1/conversations/{conversation_id}/strands                 401   401   200   200   404   404   404   404   404   403
GET    /api/v1/conversations/{conversation_id}/queue                   401   401   200   200   404   404   404   404   404   403
POST   /api/v1/conversations/{conversation_id}/queue                   401   401   201   201   404   404   404   404   404   403
POST   /api/v1/conversations/{conversation_id}/queue/next              401   401   200   200   404   404   404   404   404   403
DELETE /api/v1/conversations/{conversation_id}/queue/{question_id}     401   401   204   204   404   404   404   404   404   403
POST   /api/v1/messages/{message_id}/regenerate                        401   401   409   409   404   404   404   404   404   403
GET    /api/v1/messages/{message_id}/versions                          401   401   200   200   404   404   404   404   404   403
POST   /api/v1/messages/{message_id}/feedback                          401   401   200   200   404   404   404   404   404   403
GET    /api/v1/search                                                  401   401   200   200   200   200   200   200   200   403
GET    /api/v1/metrics/engagement                                           401   401   200   200   403   403   403   403   200   403
GET    /api/v1/metrics/adoption                                             401   401   200   200   403   403   403   403   200   403
GET    /api/v1/metrics/features                                             401   401   200   200   403   403   403   403   200   403
GET    /api/v1/metrics/reports                                              401   401   200   200   403   403   403   403   200   403
GET    /api/v1/metrics/impact                                               401   401   200   200   403   403   403   403   200   403
GET    /api/v1/metrics/chat                                                 401   401   200   200   403   403   403   403   200   403
GET    /api/v1/metrics/usage                                                401   401   200   200   403   403   403   403   200   403
GET    /api/v1/connections                                             401   401   200   200   200   200   403   403   200   403
POST   /api/v1/connections/{platform}/connect                          401   401   200   409   200   200   403   403   200   403
POST   /api/v1/connections/{platform}/demo                             401   401   201   201   201   201   403   403   201   403
GET    /api/v1/connections/{connection_id}                             401   401   200   200   404   404   403   403   404   403
PATCH  /api/v1/connections/{connection_id}                             401   401   409   409   404   404   403   403   404   403
DELETE /api/v1/connections/{connection_id}                             401   401   204   204   404   404   403   403   404   403
GET    /api/v1/budgets                                                 401   401   200   200   200   403   403   403   200   403
POST   /api/v1/budgets                                                 401   401   201   201   403   403   403   403   400   403
GET    /api/v1/budgets/{budget_id}                                     401   401   200   200   200   403   403   403   404   403
PATCH  /api/v1/budgets/{budget_id}                                     401   401   200   200   403   403   403   403   404   403
DELETE /api/v1/budgets/{budget_id}                                     401   401   204   204   403   403   403   403   404   403
GET    /api/v1/budgets/{budget_id}/spending                            401   401   200   200   200   403   403   403   404   403
POST   /api/v1/events                                                  401   401   201   201   201   201   201   201   201   403

GET    /api/v1/bridges                                                      401 401 200 200 200 403 403 403 200 403
POST   /api/v1/bridges                                                      401 401 201 201 403 403 403 403 201 403
GET    /api/v1/bridges/{slug}                                               401 401 200 200 200 403 403 403 404 403
PATCH  /api/v1/bridges/{slug}                                               401 401 200 200 403 403 403 403 404 403
DELETE /api/v1/bridges/{slug}                                               401 401 204 204 403 403 403 403 404 403
GET    /api/v1/bridges/{slug}/versions                                      401 401 200 200 200 403 403 403 404 403
POST   /api/v1/bridges/{slug}/versions                                      401 401 200 200 403 403 403 403 404 403
GET    /api/v1/bridges/{slug}/versions/{number}                             401 401 200 200 200 403 403 403 404 403
POST   /api/v1/bridges/{slug}/versions/{number}/publish                     401 401 200 200 403 403 403 403 404 403
POST   /api/v1/bridges/{slug}/versions/{number}/label                       401 401 200 200 403 403 403 403 404 403
GET    /api/v1/bridges/{slug}/versions/{number}/diff                        401 401 200 200 200 403 403 403 404 403
GET    /api/v1/bridges/{slug}/changes                                       401 401 200 200 200 403 403 403 404 403
POST   /api/v1/bridges/{slug}/completions                                   401 401 200 200 200 200 403 403 404 403
POST   /api/v1/bridges/{slug}/try                                           401 401 200 200 200 403 403 403 404 403
GET    /api/v1/bridges/{slug}/trials                                        401 401 200 200 200 403 403 403 404 403
POST   /api/v1/bridges/{slug}/trials                                        401 401 201 201 403 403 403 403 404 403
POST   /api/v1/bridges/{slug}/trials/run                                    401 401 200 200 200 403 403 403 404 403
GET    /api/v1/bridges/{slug}/trials/{trial_id}                             401 401 200 200 200 403 403 403 404 403
PATCH  /api/v1/bridges/{slug}/trials/{trial_id}                             401 401 200 200 403 403 403 403 404 403
DELETE /api/v1/bridges/{slug}/trials/{trial_id}                             401 401 204 204 403 403 403 403 404 403
GET    /api/v1/prompts                                                      401 401 200 200 200 403 403 403 200 403
GET    /api/v1/prompts/{prompt_id}                                          401 401 200 200 200 403 403 403 404 403
GET    /api/v1/templates                                                    401 401 200 200 200 403 403 403 200 403
POST   /api/v1/templates                                                    401 401 201 201 403 403 403 403 201 403
GET    /api/v1/templates/{template_id}                                      401 401 200 200 200 403 403 403 404 403
PATCH  /api/v1/templates/{template_id}                                      401 401 200 200 403 403 403 403 404 403
DELETE /api/v1/templates/{template_id}                                      401 401 204 204 403 403 403 403 404 403
GET    /api/v1/api-calls                                                    401 401 200 200 200 403 403 403 200 403
POST   /api/v1/api-calls                                                    401 401 201 201 403 403 403 403 201 403
GET    /api/v1/api-calls/{tool_id}                                          401 401 200 200 200 403 403 403 404 403
PATCH  /api/v1/api-calls/{tool_id}                                          401 401 200 200 403 403 403 403 404 403
DELETE /api/v1/api-calls/{tool_id}                                          401 401 204 204 403 403 403 403 404 403
GET    /api/v1/model-configurations                                         401 401 200 200 200 403 403 403 200 403
POST   /api/v1/model-configurations                                         401 401 201 201 403 403 403 403 201 403
GET    /api/v1/model-configurations/{model_id}                              401 401 200 200 200 403 403 403 404 403
PATCH  /api/v1/model-configurations/{model_id}                              401 401 200 200 403 403 403 403 404 403
DELETE /api/v1/model-configurations/{model_id}                              401 401 204 204 403 403 403 403 404 403
GET    /api/v1/chatbots                                                     401 401 200 200 200 403 403 403 200 403
POST   /api/v1/chatbots                                                     401 401 201 201 403 403 403 403 201 403
GET    /api/v1/chatbots/{chatbot_id}                                        401 401 200 200 200 403 403 403 404 403
PATCH  /api/v1/chatbots/{chatbot_id}                                        401 401 200 200 403 403 403 403 404 403
DELETE /api/v1/chatbots/{chatbot_id}                                        401 401 204 204 403 403 403 403 404 403

GET    /                                                             login login   302 login   302   302   302   302   302   200
GET    /s/<str:token>/                                                 404   404   200   404   200   200   200   200   404   404
GET    /o/<slug:organization>/                                       login login   200 login   200   200   200   200   404   404
GET    /o/<slug:organization>/chat/                                  login login   200 login   200   200   200   200   404   404
GET    /o/<slug:organization>/chat/new/                              login login   200 login   200   200   403   403   404   404
POST   /o/<slug:organization>/chat/new/                              login login   302 login   400   400   403   403   404   404
GET    /o/<slug:organization>/chat/new/people/                       login login   200 login   200   200   403   403   404   404
GET    /o/<slug:organization>/chat/search/                           login login   200 login   200   200   200   200   404   404
POST   /o/<slug:organization>/chat/import/                           login login   302 login   302   302   403   403   404   404
GET    /o/<slug:organization>/chat/<uuid:conversation>/              login login   200 login   404   404   404   404   404   404
GET    /o/<slug:organization>/chat/<uuid:conversation>/export/       login login   200 login   404   404   404   404   404   404
GET    /o/<slug:organization>/chat/<uuid:conversation>/shares/       login login   200 login   404   404   404   404   404   404
POST   /o/<slug:organization>/chat/<uuid:conversation>/shares/       login login   201 login   404   404   404   404   404   404
POST   /o/<slug:organization>/chat/<uuid:conversation>/shares/<uuid:share>/revoke/ login login 302 login 404 404 404 404 404 404
POST   /o/<slug:organization>/chat/<uuid:conversation>/send/         login login   302 login   404   404   404   404   404   404
GET    /o/<slug:organization>/chat/<uuid:conversation>/attachments/<uuid:attachment>/ login login 200 login 404 404 404 404 404 404
GET    /o/<slug:organization>/chat/<uuid:conversation>/attachments/<uuid:attachment>/picture/ login login 200 login 404 404 404 404 404 404
POST   /o/<slug:organization>/chat/<uuid:conversation>/messages/<uuid:message>/stop/ login login 302 login 404 404 404 404 404 404
POST   /o/<slug:organization>/chat/<uuid:conversation>/messages/<uuid:message>/retry/ login login 302 login 404 404 404 404 404 404
GET    /o/<slug:organization>/chat/<uuid:conversation>/readers/      login login   200 login   404   404   404   404   404   404
POST   /o/<slug:organization>/chat/<uuid:conversation>/readers/      login login   302 login   404   404   404   404   404   404
POST   /o/<slug:organization>/chat/<uuid:conversation>/strand/       login login   302 login   404   404   404   404   404   404
POST   /o/<slug:organization>/chat/<uuid:conversation>/queue/        login login   302 login   404   404   404   404   404   404
POST   /o/<slug:organization>/chat/<uuid:conversation>/queue/next/   login login   302 login   404   404   404   404   404   404
POST   /o/<slug:organization>/chat/<uuid:conversation>/queue/<uuid:question>/take-back/ login login 302 login 404 404 404 404 404 404
POST   /o/<slug:organization>/chat/<uuid:conversation>/messages/<uuid:message>/edit/ login login 409 login 404 404 404 404 404 404
POST   /o/<slug:organization>/chat/<uuid:conversation>/messages/<uuid:message>/regenerate/ login login 302 login 404 404 404 404 404 404
GET    /o/<slug:organization>/chat/<uuid:conversation>/messages/<uuid:message>/versions/ login login 200 login 404 404 404 404 404 404
POST   /o/<slug:organization>/chat/<uuid:conversation>/messages/<uuid:message>/feedback/ login login 302 login 404 404 404 404 404 404
GET    /o/<slug:organization>/chat/<uuid:conversation>/context/      login login   200 login   404   404   404   404   404   404
GET    /o/<slug:organization>/chat/<uuid:conversation>/context/<uuid:employee>/ login login 200 login 404 404 404 404 404 404
POST   /o/<slug:organization>/chat/<uuid:conversation>/context/<uuid:employee>/ login login 302 login 404 404 404 404 404 404
POST   /o/<slug:organization>/chat/<uuid:conversation>/rename/       login login   302 login   404   404   404   404   404   404
POST   /o/<slug:organization>/chat/<uuid:conversation>/pin/          login login   302 login   404   404   404   404   404   404
POST   /o/<slug:organization>/chat/<uuid:conversation>/archive/      login login   302 login   404   404   404   404   404   404
POST   /o/<slug:organization>/chat/<uuid:conversation>/restore/      login login   302 login   404   404   404   404   404   404
POST   /o/<slug:organization>/chat/<uuid:conversation>/delete/       login login   302 login   404   404   404   404   404   404
GET    /o/<slug:organization>/dashboard/                             login login   200 login   403   403   403   403   404   404
GET    /o/<slug:organization>/dashboard/<slug:metric>/               login login   200 login   403   403   403   403   404   404
GET    /o/<slug:organization>/connections/                           login login   200 login   200   200   403   403   404   404
POST   /o/<slug:organization>/connections/<slug:platform>/connect/   login login   302 login   302   302   403   403   404   404
POST   /o/<slug:organization>/connections/<slug:platform>/demo/      login login   302 login   302   302   403   403   404   404
POST   /o/<slug:organization>/connections/<uuid:connection>/account/ login login   302 login   404   404   403   403   404   404
POST   /o/<slug:organization>/connections/<uuid:connection>/disconnect/ login login 302 login  404   404   403   403   404   404
GET    /connections/<slug:platform>/callback/                          400   400   400   400   400   400   400   400   400   400

GET    /o/<slug:organization>/settings/                               login login 302 login 302 403 403 403 404 404
GET    /o/<slug:organization>/settings/bridges/                       login login 200 login 200 403 403 403 404 404
GET    /o/<slug:organization>/settings/bridges/new/                   login login 200 login 403 403 403 403 404 404
POST   /o/<slug:organization>/settings/bridges/new/                   login login 302 login 403 403 403 403 404 404
GET    /o/<slug:organization>/settings/bridges/<slug:slug>/           login login 200 login 200 403 403 403 404 404
POST   /o/<slug:organization>/settings/bridges/<slug:slug>/           login login 302 login 403 403 403 403 404 404
POST   /o/<slug:organization>/settings/bridges/<slug:slug>/delete/    login login 302 login 403 403 403 403 404 404
GET    /o/<slug:organization>/settings/bridges/<slug:slug>/versions/  login login 200 login 200 403 403 403 404 404
POST   /o/<slug:organization>/settings/bridges/<slug:slug>/versions/  login login 302 login 403 403 403 403 404 404
GET    /o/<slug:organization>/settings/bridges/<slug:slug>/versions/<int:number>/ login login 200 login 200 403 403 403 404 404
POST   /o/<slug:organization>/settings/bridges/<slug:slug>/versions/<int:number>/publish/ login login 302 login 403 403 403 403 404 404
POST   /o/<slug:organization>/settings/bridges/<slug:slug>/versions/<int:number>/label/ login login 302 login 403 403 403 403 404 404
GET    /o/<slug:organization>/settings/bridges/<slug:slug>/changes/   login login 200 login 200 403 403 403 404 404
GET    /o/<slug:organization>/settings/bridges/<slug:slug>/playground/ login login 200 login 200 403 403 403 404 404
POST   /o/<slug:organization>/settings/bridges/<slug:slug>/playground/ login login 200 login 200 403 403 403 404 404
GET    /o/<slug:organization>/settings/bridges/<slug:slug>/trials/    login login 200 login 200 403 403 403 404 404
POST   /o/<slug:organization>/settings/bridges/<slug:slug>/trials/    login login 302 login 403 403 403 403 404 404
POST   /o/<slug:organization>/settings/bridges/<slug:slug>/trials/run/ login login 200 login 200 403 403 403 404 404
GET    /o/<slug:organization>/settings/bridges/<slug:slug>/trials/<uuid:trial_id>/ login login 200 login 200 403 403 403 404 404
POST   /o/<slug:organization>/settings/bridges/<slug:slug>/trials/<uuid:trial_id>/ login login 302 login 403 403 403 403 404 404
POST   /o/<slug:organization>/settings/bridges/<slug:slug>/trials/<uuid:trial_id>/delete/ login login 302 login 403 403 403 403 404 404
GET    /o/<slug:organization>/settings/models/                        login login 200 login 200 403 403 403 404 404
GET    /o/<slug:organization>/settings/models/new/                    login login 200 login 403 403 403 403 404 404
POST   /o/<slug:organization>/settings/models/new/                    login login 302 login 403 403 403 403 404 404
GET    /o/<slug:organization>/settings/models/<uuid:model_id>/        login login 200 login 200 403 403 403 404 404
POST   /o/<slug:organization>/settings/models/<uuid:model_id>/        login login 302 login 403 403 403 403 404 404
POST   /o/<slug:organization>/settings/models/<uuid:model_id>/delete/ login login 302 login 403 403 403 403 404 404
GET    /o/<slug:organization>/settings/templates/                     login login 200 login 200 403 403 403 404 404
GET    /o/<slug:organization>/settings/templates/new/                 login login 200 login 403 403 403 403 404 404
POST   /o/<slug:organization>/settings/templates/new/                 login login 302 login 403 403 403 403 404 404
GET    /o/<slug:organization>/settings/templates/<uuid:template_id>/  login login 200 login 200 403 403 403 404 404
POST   /o/<slug:organization>/settings/templates/<uuid:template_id>/  login login 302 login 403 403 403 403 404 404
POST   /o/<slug:organization>/settings/templates/<uuid:template_id>/delete/ login login 302 login 403 403 403 403 404 404
GET    /o/<slug:organization>/settings/tools/                         login login 200 login 200 403 403 403 404 404
GET    /o/<slug:organization>/settings/tools/new/                     login login 200 login 403 403 403 403 404 404
POST   /o/<slug:organization>/settings/tools/new/                     login login 302 login 403 403 403 403 404 404
GET    /o/<slug:organization>/settings/tools/<uuid:tool_id>/          login login 200 login 200 403 403 403 404 404
POST   /o/<slug:organization>/settings/tools/<uuid:tool_id>/          login login 302 login 403 403 403 403 404 404
POST   /o/<slug:organization>/settings/tools/<uuid:tool_id>/delete/   login login 302 login 403 403 403 403 404 404
GET    /o/<slug:organization>/settings/chatbots/                      login login 200 login 200 403 403 403 404 404
GET    /o/<slug:organization>/settings/chatbots/new/                  login login 200 login 403 403 403 403 404 404
POST   /o/<slug:organization>/settings/chatbots/new/                  login login 302 login 403 403 403 403 404 404
GET    /o/<slug:organization>/settings/chatbots/<uuid:chatbot_id>/    login login 200 login 200 403 403 403 404 404
POST   /o/<slug:organization>/settings/chatbots/<uuid:chatbot_id>/    login login 302 login 403 403 403 403 404 404
POST   /o/<slug:organization>/settings/chatbots/<uuid:chatbot_id>/delete/ login login 302 login 403 403 403 403 404 404
GET    /o/<slug:organization>/settings/budgets/                      login login   200 login   200   403   403   403   404   404
GET    /o/<slug:organization>/settings/budgets/new/                  login login   200 login   403   403   403   403   404   404
POST   /o/<slug:organization>/settings/budgets/new/                  login login   302 login   403   403   403   403   404   404
GET    /o/<slug:organization>/settings/budgets/<uuid:budget_id>/     login login   200 login   200   403   403   403   404   404
POST   /o/<slug:organization>/settings/budgets/<uuid:budget_id>/     login login   302 login   403   403   403   403   404   404
POST   /o/<slug:organization>/settings/budgets/<uuid:budget_id>/delete/ login login 302 login 403 403 403 403 404 404

FRAME  join                                                         closed closed  yes   yes 404 404 404 404 closed closed
FRAME  leave                                                        closed closed  yes   yes   yes   yes   yes   yes closed closed
FRAME  send                                                         closed closed  yes   yes 404 404 404 404 closed closed
FRAME  queue                                                        closed closed  yes   yes 404 404 404 404 closed closed
FRAME  unqueue                                                      closed closed  yes   yes 404 404 404 404 closed closed
FRAME  next                                                         closed closed  yes   yes 404 404 404 404 closed closed
FRAME  stop                                                         closed closed  yes   yes 404 404 404 404 closed closed
FRAME  retry                                                        closed closed  yes   yes 404 404 404 404 closed closed
FRAME  regenerate                   closed closed nothing_to_regenerate nothing_to_regenerate 404 404 404 404 closed closed
FRAME  edit                         closed closed nothing_to_edit nothing_to_edit 404 404 404 404 closed closed
FRAME  feedback                                                     closed closed  yes   yes 404 404 404 404 closed closed
FRAME  typing                                                       closed closed  yes   yes 404 404 404 404 closed closed
FRAME  presence                                                     closed closed  yes   yes   yes   yes   yes   yes closed closed
FRAME  read                                                         closed closed  yes   yes 404 404 404 404 closed closed
FRAME  watch                        closed closed  yes   yes forbidden forbidden forbidden forbidden closed closed
FRAME  unwatch                                                      closed closed  yes   yes   yes   yes   yes   yes closed closed
"""

# Not ours to list address by address; each has a test of its own below or in its app's tests.
ELSEWHERE = {"/admin/": "Django admin: staff only, below", "/accounts/": "allauth: everybody's own account"}

# What an operation needs besides identifiers, to be a good request of Olive's.
BODIES: dict[str, Any] = {
    "POST /api/v1/conversations": {"type": "employee_specific", "subject_employee_ids": ["{employee_id}"]},
    "POST /api/v1/conversations/import": {
        "format": "parley-conversation",
        "version": 1,
        "conversation": {"type": "one_to_one", "title": "Imported", "created_at": "2026-01-02T03:04:05Z"},
        "messages": [],
    },
    "POST /api/v1/budgets": {"scope": "bridge", "target_id": "{budget_target}", "period": "month", "amount": "5"},
    "PATCH /api/v1/budgets/{budget_id}": {"amount": "2"},
    "POST /o/<slug:organization>/settings/budgets/new/": {
        "target": "{budget_choice}",
        "period": "month",
        "amount": "5",
        "warn_percent": "80",
    },
    "POST /o/<slug:organization>/settings/budgets/<uuid:budget_id>/": {"amount": "2", "warn_percent": "80"},
    "POST /api/v1/employees": {"first_name": "Nina", "last_name": "Näs"},
    "PATCH /api/v1/employees/{employee_id}": {"job_title": "Lead"},
    "PATCH /api/v1/conversations/{conversation_id}": {"title": "Renamed", "pinned": True},
    "POST /api/v1/conversations/{conversation_id}/messages": {"text": "Hello."},
    "GET /o/<slug:organization>/chat/<uuid:conversation>/export/": {"format": "markdown"},
    "POST /api/v1/conversations/{conversation_id}/shares": {"audience": "organization", "days": 7},
    "POST /o/<slug:organization>/chat/<uuid:conversation>/shares/": {"audience": "organization", "days": "7"},
    "POST /o/<slug:organization>/chat/new/": {
        "type": "employee_specific",
        "employees": "{employee_id}",
        "text": "Hello.",
        "client_id": "matrix",
    },
    "POST /o/<slug:organization>/chat/<uuid:conversation>/send/": {"text": "Hello.", "client_id": "matrix"},
    "POST /o/<slug:organization>/chat/<uuid:conversation>/rename/": {"title": "Renamed"},
    "POST /o/<slug:organization>/chat/<uuid:conversation>/pin/": {"on": "true"},
    "POST /api/v1/messages/{message_id}/feedback": {"helpful": True, "rating": 4, "comment": "Clear."},
    "POST /o/<slug:organization>/chat/<uuid:conversation>/messages/<uuid:message>/feedback/": {"helpful": "true", "rating": "4"},
    "PATCH /api/v1/messages/{message_id}": {"text": "In other words."},
    "POST /api/v1/conversations/{conversation_id}/strands": {"strand": 0},
    "POST /o/<slug:organization>/chat/<uuid:conversation>/strand/": {"strand": "0"},
    "POST /o/<slug:organization>/chat/<uuid:conversation>/messages/<uuid:message>/edit/": {
        "text": "In other words.",
        "client_id": "matrix",
    },
    "POST /api/v1/conversations/{conversation_id}/queue": {"text": "Hello."},
    "POST /o/<slug:organization>/chat/<uuid:conversation>/queue/": {"text": "Hello.", "client_id": "matrix"},
    "FRAME queue": {"text": "Hello.", "client_id": "matrix"},
    "FRAME edit": {"text": "In other words."},
    "FRAME feedback": {"rating": 4},
    "FRAME typing": {"on": True},
    "FRAME presence": {"status": "busy"},
    "FRAME read": {"seq": 1},
    "POST /api/v1/conversations/{conversation_id}/read": {"seq": 1},
    "POST /api/v1/bridges": {"name": "Matrix", "slug": "{new_slug}"},
    "PATCH /api/v1/bridges/{slug}": {"name": "Renamed"},
    "POST /api/v1/bridges/{slug}/versions/{number}/label": {"label": "stable"},
    "POST /api/v1/bridges/{slug}/completions": {"text": "Hello."},
    "POST /api/v1/bridges/{slug}/try": {"text": "Hello."},
    "POST /api/v1/bridges/{slug}/trials": {"name": "Two"},
    "PATCH /api/v1/bridges/{slug}/trials/{trial_id}": {"name": "Three"},
    "POST /api/v1/templates": {"name": "{new_slug}", "text": "Hello."},
    "PATCH /api/v1/templates/{template_id}": {"text": "Good day."},
    "POST /api/v1/api-calls": {
        "name": "{new_name}",
        "description": "Finds it.",
        "parameters": {"type": "object"},
        "url": "https://shop.example.com/",
    },
    "PATCH /api/v1/api-calls/{tool_id}": {"description": "Finds them."},
    "POST /api/v1/model-configurations": {"name": "{new_slug}", "model": "m-1"},
    "PATCH /api/v1/model-configurations/{model_id}": {"model": "m-2"},
    "POST /api/v1/chatbots": {"title": "{new_slug}"},
    "PATCH /api/v1/chatbots/{chatbot_id}": {"config": {"type": "popup"}},
    "POST /o/<slug:organization>/settings/bridges/new/": {
        "name": "Matrix",
        "slug": "{new_slug}",
        "bridge_type": "api",
        "cache_seconds": "0",
    },
    "POST /o/<slug:organization>/settings/bridges/<slug:slug>/": {
        "name": "Renamed",
        "slug": "{slug}",
        "bridge_type": "api",
        "cache_seconds": "0",
    },
    "POST /o/<slug:organization>/settings/bridges/<slug:slug>/versions/<int:number>/label/": {"label": "stable"},
    "POST /o/<slug:organization>/settings/bridges/<slug:slug>/playground/": {"text": "Hello.", "left": "draft"},
    "POST /o/<slug:organization>/settings/bridges/<slug:slug>/trials/": {"name": "Two"},
    "POST /o/<slug:organization>/settings/bridges/<slug:slug>/trials/<uuid:trial_id>/": {"name": "Three"},
    "POST /o/<slug:organization>/settings/models/new/": {"name": "{new_slug}", "service": "openai", "model_name": "m-1"},
    "POST /o/<slug:organization>/settings/models/<uuid:model_id>/": {"name": "{new_slug}", "service": "openai", "model_name": "m-2"},
    "POST /o/<slug:organization>/settings/templates/new/": {"name": "{new_slug}", "text": "Hello."},
    "POST /o/<slug:organization>/settings/templates/<uuid:template_id>/": {"name": "{new_slug}", "text": "Hello."},
    "POST /o/<slug:organization>/settings/tools/new/": {
        "name": "{new_name}",
        "description": "Finds it.",
        "method": "GET",
        "url": "https://shop.example.com/",
    },
    "POST /o/<slug:organization>/settings/tools/<uuid:tool_id>/": {
        "name": "{new_name}",
        "description": "Finds it.",
        "method": "GET",
        "url": "https://shop.example.com/",
    },
    "POST /o/<slug:organization>/settings/chatbots/new/": {
        "title": "{new_slug}",
        "buttonName": "Ask",
        "themeColor": "#0c685f",
        "type": "popup",
        "widthUnit": "px",
        "heightUnit": "px",
    },
    "POST /o/<slug:organization>/settings/chatbots/<uuid:chatbot_id>/": {
        "title": "{new_slug}",
        "buttonName": "Ask",
        "themeColor": "#0c685f",
        "type": "popup",
        "widthUnit": "px",
        "heightUnit": "px",
    },
    "PATCH /api/v1/connections/{connection_id}": {"account_id": "2001"},
    "POST /o/<slug:organization>/connections/<uuid:connection>/account/": {"account": "2001"},
    "POST /api/v1/events": {"client_id": "matrix", "event_type": "PAGE_VIEW"},
    "FRAME watch": {"what": "metrics"},
    "FRAME unwatch": {"what": "metrics"},
    "FRAME send": {"text": "Hello.", "client_id": "matrix"},
}

# The head of the part of a form with which a file comes.
FILES = {
    "POST /api/v1/conversations/{conversation_id}/attachments": b'Content-Disposition: form-data; name="file"; filename="note.txt"',
}

# What an operation's address needs behind it, to be a good request.
QUERIES = {"GET /api/v1/search": "?q=hello"}


def rows() -> dict[str, dict[str, str]]:
    """Operation → principal → expectation."""
    lines = [line.split() for line in MATRIX.splitlines() if line.strip()]
    assert tuple(lines[0]) == PRINCIPALS
    found = {f"{method} {address}": dict(zip(PRINCIPALS, cells, strict=True)) for method, address, *cells in lines[1:]}
    assert len(found) == len(lines) - 1, "an operation has two rows"
    return found


ROWS = rows()

# What there is ---------------------------------------------------------------------------------------------------------


def addresses(patterns: list[Any] | None = None, *, before: str = "/") -> Iterator[str]:
    """Every address of the URLconf, as it is written there."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        here = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns, before=here)
        elif isinstance(pattern, URLPattern):
            yield here


@cache
def rest_operations() -> set[str]:
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    return {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}


def braces(address: str) -> str:
    """The address as OpenAPI writes it."""
    return re.sub(r"<\w+:(\w+)>", r"{\1}", address)


def pages() -> set[str]:
    """Addresses that are neither the API's nor somebody else's."""
    return {address for address in addresses() if not address.startswith(("/api/v1/", *ELSEWHERE))}


def test_every_operation_has_a_row_and_every_row_an_operation():
    page_rows = {operation.partition(" ")[2] for operation in ROWS if not operation.startswith("FRAME") and "/api/v1/" not in operation}
    assert page_rows == pages()
    assert {operation for operation in ROWS if "/api/v1/" in operation} == rest_operations()
    assert {operation for operation in ROWS if operation.startswith("FRAME")} == {f"FRAME {do}" for do in FRAMES}
    assert {*BODIES, *QUERIES, *FILES} <= set(ROWS)


def test_every_api_address_is_in_the_schema():
    in_urls = {braces(address) for address in addresses() if address.startswith("/api/v1/")}
    assert in_urls - {operation.partition(" ")[2] for operation in rest_operations()} == {"/api/v1/^.*$"}  # the 404 for all others


def test_nothing_is_elsewhere_that_is_gone():
    for prefix in ELSEWHERE:
        assert any(address.startswith(prefix) for address in addresses())


def test_the_walk_sees_addresses_and_operations():
    assert "/o/<slug:organization>/chat/" in pages()
    assert "GET /api/v1/me" in rest_operations()
    assert len(list(addresses())) > 100


# The world -------------------------------------------------------------------------------------------------------------


# The names of what is made together, and of what was there before.
OF_CONNECTIONS = {"connection", "connection_id"}
OF_BUDGETS = {"budget_id", "budget_target", "budget_choice"}
OF_SHARES = {"share", "share_id", "token"}
OF_ATTACHMENTS = {"attachment", "attachment_id"}
OF_A_TALK = {*("conversation", "conversation_id", "message", "message_id", "question", "question_id"), *OF_SHARES, *OF_ATTACHMENTS}
CONSTANT = {
    *("organization", "organization_id", "metric", "platform", "employee", "employee_id", "branch_id", "department_id"),
}
EVERYTHING = {*OF_CONFIGURATION, *OF_CONNECTIONS, *OF_BUDGETS, *OF_A_TALK, "sign_in_id"}


@dataclass(frozen=True)
class Target:
    """One organization's things, by the name under which an address or a frame asks for them."""

    ids: dict[str, str]

    def fill(self, text: str) -> str:
        text = re.sub(r"<\w+:(\w+)>", r"{\1}", text)
        for name, value in self.ids.items():
            text = text.replace(f"{{{name}}}", value)
        assert "{" not in text or text.startswith("{"), f"{text} asks for something the matrix does not have"
        return text


@dataclass(frozen=True)
class World:
    cast: Cast
    callers: dict[str, Caller]
    keys: dict[str, Caller]

    # Made once: every test asks that what strangers tried has changed nothing.
    @cached_property
    def olives(self) -> Target:
        return self.of_olive()

    @cached_property
    def gretas(self) -> Target:
        return self.of_greta()

    @cached_property
    def only_read(self) -> Target:
        """For owners, of whom nobody changes it."""
        return self.of_olive()

    def for_owners(self, operation: str) -> Target:
        """What an operation changes is made for it; the rest stands there anyway."""
        if operation.startswith("GET "):
            return self.only_read
        said = f"{operation} {QUERIES.get(operation)} {BODIES.get(operation)}"
        named = set(re.findall(r"[<{](?:\w+:)?(\w+)[>}]", said))
        return Target({**self.only_read.ids, **self.of_olive(named).ids}) if named - CONSTANT else self.only_read

    def of_olive(self, named: set[str] = EVERYTHING) -> Target:
        """Fresh things that only Olive may see: a consultation about Wim of the South, with an answer that can be retried. All of them,
        or those of the sorts that are named."""
        place = {"branch": self.cast.south.id, "department": self.cast.workshop.id}
        return self._target(self.cast.olive, self.keys["olive"], named, subject="Wim Wolf", **place)

    def of_greta(self) -> Target:
        stranger = self.cast.strangers["Hank Scorpio"]
        place = {"branch": stranger.branch_id, "department": stranger.department_id}
        return self._target(self.cast.greta, self.keys["greta"], EVERYTHING, subject="Hank Scorpio", **place)

    def _target(self, person: Person, owner: Caller, named: set[str], *, subject: str, branch: Any, department: Any) -> Target:
        employee = {**self.cast.employees, **self.cast.strangers}[subject]
        organization_id, user_id = str(employee.organization_id), str(person.user.pk)
        ids = {
            "organization": person.membership.organization.slug,
            "organization_id": organization_id,
            "metric": "engagement",
            "platform": "google_analytics",
            **dict.fromkeys(("employee", "employee_id"), str(employee.id)),
            "branch_id": str(branch),
            "department_id": str(department),
        }
        if named & OF_CONFIGURATION:
            ids |= configured(owner, named)
        if named & OF_CONNECTIONS:
            ids |= dict.fromkeys(OF_CONNECTIONS, owner.post("connections/meta_ads/demo").json()["id"])
        if named & OF_BUDGETS:
            ids["budget_id"], ids["budget_target"] = keep_budget(organization_id)
            ids["budget_choice"] = f"bridge:{ids['budget_target']}"
        if "sign_in_id" in named:
            key = f"matrix-{uuid.uuid4()}"[:40]
            sign_in = UserSession.objects.create(user_id=user_id, session_key=key, ip="127.0.0.1", user_agent="x")
            ids["sign_in_id"] = str(sign_in.pk)
        if named & OF_A_TALK:
            ids |= self._talk(owner, named, organization_id, user_id, subject=subject)
        return Target(ids)

    def _talk(self, owner: Caller, named: set[str], organization_id: str, user_id: str, *, subject: str) -> dict[str, str]:
        """A conversation with an answer and a question that waits; and what else of it is named."""
        conversation = start(owner, self.cast, subject)["id"]
        message = say(owner, f"conversations/{conversation}/messages")["answer"]["id"]
        question = owner.post(f"conversations/{conversation}/queue", {"text": "And then?"}).json()["queue"]["questions"][0]["id"]
        one = {"organizationId": organization_id, "messageId": message}
        mongo.collection(Message).update_one(one, {"$set": {"status": "interrupted"}, "$unset": {"lease": ""}})
        ids = {
            **dict.fromkeys(("conversation", "conversation_id"), conversation),
            **dict.fromkeys(("message", "message_id"), message),
            **dict.fromkeys(("question", "question_id"), question),
        }
        if named & OF_ATTACHMENTS:
            ids |= dict.fromkeys(OF_ATTACHMENTS, keep_file(organization_id, conversation, user_id=user_id))
        if named & OF_SHARES:
            link = owner.post(f"conversations/{conversation}/shares", {"audience": "organization", "days": 1}).json()
            ids |= {**dict.fromkeys(("share", "share_id"), link["id"]), "token": link["url"].split("/")[-2]}
        return ids


def keep_budget(organization_id: str) -> tuple[str, str]:
    """A budget, and a bridge that has none yet."""
    with scoping.tenant(organization_id):
        name = uuid.uuid4()
        bridge = Bridge.objects.for_tenant(organization_id).create(name=f"Matrix {name}", slug=f"matrix-{name}")
        made = Budget.objects.for_tenant(organization_id).create(scope="key", target_id=uuid.uuid4(), amount=1)
    return str(made.pk), str(bridge.pk)


@pytest.fixture(autouse=True)
def _as_many_messages_and_files_as_it_takes(settings, monkeypatch):
    settings.ROLE_LIMITS = False
    settings.GOOGLE_CLIENT_ID, settings.GOOGLE_CLIENT_SECRET = "id", "secret"
    monkeypatch.setattr(attachments, "WAITING_LIMIT", 10_000)


@pytest.fixture(scope="module", autouse=True)
def _the_schema_is_made_once():
    """It is the same for everybody who asks, and takes a fifth of a second."""
    make = SchemaGenerator.get_schema
    made = cache(lambda public: make(SchemaGenerator(), public=public))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SchemaGenerator, "get_schema", lambda generator, request=None, public=False: made(public))
        yield


@pytest.fixture(scope="module")
def world(cast) -> World:
    petra = make_person(cast.acme, "Petra", "Pahl", role=Role.OWNER)
    people = {name: getattr(cast, name) for name in ("olive", "liam", "mona", "ada", "vera", "greta")}
    suspended_key, suspended_session = with_key(petra), signed_in(petra.user)
    callers = {name: signed_in(person.user) for name, person in people.items()}
    callers |= {
        "nobody": Caller(Client(), {}),
        "susp": Caller(suspended_session.client, {**suspended_session.headers, **suspended_key.headers}),
        "key": with_key(cast.olive),
        "sam": signed_in(cast.sam),
    }
    keys = {name: with_key(person) for name, person in people.items()}
    for caller in (*callers.values(), *keys.values()):
        caller.get("me")  # notes the keys' use now: a test's open transaction would keep the row from the server's sockets
    accounts.suspend(petra.user)
    world = World(cast=cast, callers=callers, keys={**keys, "key": callers["key"], "susp": suspended_key, "nobody": callers["nobody"]})
    assert world.olives and world.gretas and world.only_read  # now: what a test makes in PostgreSQL is rolled back after it
    return world


def ask(caller: Caller, operation: str, target: Target) -> str:
    """What an operation by HTTP answers: the cell."""
    method, _, address = operation.partition(" ")
    path = target.fill(address) + QUERIES.get(operation, "")
    body = {name: filled(value, target) for name, value in BODIES.get(operation, {}).items()}
    if operation in FILES:
        content_type = "multipart/form-data; boundary=x"
        response = caller.send(method, path, b"--x\r\n%b\r\n\r\nHello\r\n--x--\r\n" % FILES[operation], content_type=content_type)
    elif "/api/v1/" in address:
        response = caller.send(method, path, json.dumps(body))
    elif method == "POST":
        response = caller.client.post(path, body, headers=caller.headers)
    else:
        response = caller.client.generic(method, path, headers=caller.headers, query_params=body)
    if response.status_code == 302 and response.headers["Location"].startswith("/accounts/login/"):
        return "login"
    return str(response.status_code)


def filled(value: Any, target: Target) -> Any:
    if isinstance(value, list):
        return [filled(each, target) for each in value]
    return target.fill(value) if isinstance(value, str) and value.startswith("{") else value


def state(target: Target) -> list[Any]:
    """Everything stored of a target's conversation, but for how often its link was opened."""
    one = {"organizationId": target.ids["organization_id"], "conversationId": target.ids["conversation"]}
    return [
        list(mongo.collection(document).find(one, {"views": 0}, sort=[("_id", 1)]))
        for document in (Conversation, Message, Share, Attachment)
    ]


# The cells -------------------------------------------------------------------------------------------------------------

BY_HTTP = [operation for operation in ROWS if not operation.startswith("FRAME")]


@pytest.mark.parametrize("operation", BY_HTTP)
def test_every_cell_is_as_the_table_says(world, operation):
    shared = world.olives
    before = state(shared)
    got = {}
    for name in PRINCIPALS:
        got[name] = ask(world.callers[name], operation, world.for_owners(operation) if name in OWNERS else shared)
    assert got == ROWS[operation]
    assert state(shared) == before


WITH_IDS = [operation for operation in BY_HTTP if re.search(r"[<{](?!slug:|platform})", operation)]


@pytest.mark.parametrize("operation", WITH_IDS)
def test_another_organization_s_identifiers_are_a_404_to_everybody(world, operation):
    hers, foreign = world.olives, world.gretas
    before = [state(hers), state(foreign)]
    mixed = Target({**foreign.ids, "organization": "acme"})
    assert ask(world.callers["olive"], operation, foreign) == "404"
    assert ask(world.callers["olive"], operation, mixed) == "404"
    assert ask(world.callers["greta"], operation, hers) == "404"
    assert ask(world.callers["greta"], operation, Target({**hers.ids, "organization": "globex"})) == "404"
    if "/api/v1/" in operation:
        assert ask(world.callers["key"], operation, foreign) == "404"
        assert ask(world.keys["greta"], operation, hers) == "404"
    assert [state(hers), state(foreign)] == before


def test_addresses_with_identifiers_are_seen():
    assert len(WITH_IDS) >= 20


# Frames ----------------------------------------------------------------------------------------------------------------


@contextmanager
def socket_of(port: int, caller: Caller, organization: str) -> Iterator[ClientConnection | None]:
    """An open socket; None if it was closed at once."""
    headers = dict(caller.headers)
    headers["Cookie"] = "; ".join(f"{name}={morsel.value}" for name, morsel in caller.client.cookies.items())
    address = f"ws://127.0.0.1:{port}/ws/o/{organization}/"
    with connect(address, additional_headers=headers, origin=f"http://127.0.0.1:{port}", proxy=None) as opened:
        try:
            opened.send("{}")  # no frame of ours: whoever is inside is told so
            opened.recv(timeout=5)
        except ConnectionClosed:
            yield None
        else:
            yield opened


def frame(opened: ClientConnection, do: str, target: Target) -> str:
    """What a frame answers: the cell."""
    wanted = {name: target.ids[name] for name in FRAMES[do] if name in target.ids}
    opened.send(json.dumps({"do": do, "ref": 7, **wanted, **BODIES.get(f"FRAME {do}", {})}).decode())
    while True:
        said = json.loads(opened.recv(timeout=5).encode())
        if said.get("ref") == 7 or said.get("ack") == 7:
            if "error" not in said:
                return "yes"
            return "404" if said["error"]["code"] == "not_found" else said["error"]["code"]


BY_SOCKET = [operation for operation in ROWS if operation.startswith("FRAME")]


@pytest.mark.parametrize("operation", BY_SOCKET)
def test_every_frame_is_as_the_table_says(world, server, operation):
    do = operation.partition(" ")[2]
    shared = world.olives
    before = state(shared)
    got = {}
    for name in PRINCIPALS:
        with socket_of(server, world.callers[name], "acme") as opened:
            target = world.of_olive(OF_A_TALK) if name in OWNERS else shared
            got[name] = "closed" if opened is None else frame(opened, do, target)
    assert got == ROWS[operation]
    assert state(shared) == before


# Leaving what one is not in is harmless; how somebody is, and what is watched, names nothing.
WITHOUT_DOORS = {"FRAME leave", "FRAME presence", "FRAME watch", "FRAME unwatch"}


@pytest.mark.parametrize("operation", [each for each in BY_SOCKET if each not in WITHOUT_DOORS])
def test_another_organization_s_identifiers_are_not_found_by_socket(world, server, operation):
    do = operation.partition(" ")[2]
    hers, foreign = world.olives, world.gretas
    before = [state(hers), state(foreign)]
    with socket_of(server, world.callers["olive"], "acme") as opened:
        assert frame(opened, do, foreign) == "404"
    with socket_of(server, world.callers["greta"], "globex") as opened:
        assert frame(opened, do, hers) == "404"
    with socket_of(server, world.callers["olive"], "globex") as opened:
        assert opened is None
    assert [state(hers), state(foreign)] == before


# Elsewhere -------------------------------------------------------------------------------------------------------------


def test_the_administration_opens_to_staff_only(world):
    closed = [address for address in addresses() if address.startswith("/admin/") and "<" not in address and "(" not in address]
    assert len(closed) > 30
    own = {"/admin/login/", "/admin/logout/", "/admin/jsi18n/"}
    for name in ("nobody", "susp", "olive", "greta"):
        for address in set(closed) - own:
            response = world.callers[name].client.get(address)
            assert response.status_code == 302, (name, address, response.status_code)
            assert "login" in response.headers["Location"]
    assert world.callers["sam"].client.get("/admin/").status_code == 200


def test_who_is_in_two_organizations_acts_in_one_at_a_time(cast, world):
    """The header that names the organization is asked for at the door, too."""
    target = world.of_olive(OF_A_TALK)
    as_guest = make_person(cast.globex, "Gus", "Gast", role=Role.GUEST)
    accounts.add_member(cast.acme, user=as_guest.user, role=Role.OWNER)
    assert len(access.memberships_of(as_guest.user)) == 2
    for organization in ("acme", "globex"):
        caller = signed_in(as_guest.user, **{"X-Organization": organization})
        assert ask(caller, "GET /api/v1/conversations/{conversation_id}", target) == "404"
    employee = "GET /api/v1/employees/{employee_id}"
    assert ask(signed_in(as_guest.user, **{"X-Organization": "acme"}), employee, target) == "200"
    assert ask(signed_in(as_guest.user, **{"X-Organization": "globex"}), employee, target) == "403"
