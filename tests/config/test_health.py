"""Alive, ready, and which store is not. Stores are really stopped, and started again."""

import pytest
from django.db import connection
from django.test import Client
from django_celery_beat.models import PeriodicTask

from config import schedule
from config.management.commands import sync_schedule
from tenants.database import roles

STORES = {"postgres": ["postgresql"], "mongo": ["mongodb"], "valkey": ["broker", "redis"]}


@pytest.fixture
def client() -> Client:
    return Client()


def test_healthz_answers_whatever_the_stores_do(client):
    response = client.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok\n")
    assert "no-cache" in response["Cache-Control"]


def test_readyz_with_every_store_there(client, stores):
    response = client.get("/readyz")
    assert response.status_code == 200
    body = response.json()
    assert body["ready"] is True
    assert sorted(body["stores"]) == ["broker", "mongodb", "postgresql", "redis"]
    assert all(store["ok"] for store in body["stores"].values())
    assert body["last_fill"] == "never"


def test_readyz_for_people(client, stores):
    for response in (client.get("/readyz", headers={"accept": "text/plain"}), client.get("/readyz?format=text")):
        assert response["Content-Type"] == "text/plain; charset=utf-8"
        lines = response.content.decode().splitlines()
        assert [line.split(":")[0] for line in lines] == ["postgresql", "mongodb", "redis", "broker", "last fill", "ready"]
        assert "last fill: never" in lines


@pytest.mark.parametrize("store", STORES)
def test_readyz_names_the_store_that_is_away(client, stores, services, store):
    server = getattr(services, store)
    server.stop()
    try:
        response = client.get("/readyz")
        assert response.status_code == 503
        assert response["Retry-After"] == "5"
        body = response.json()
        assert body["ready"] is False
        assert sorted(name for name, found in body["stores"].items() if not found["ok"]) == STORES[store]
        assert client.get("/healthz").status_code == 200
    finally:
        server.start()
    assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize("store", STORES)
def test_readyz_does_not_wait_for_a_store_that_hangs(client, stores, services, store):
    server = getattr(services, store)
    server.pause()
    try:
        response = client.get("/readyz?format=text")
    finally:
        server.resume()
    assert response.status_code == 503
    for name in STORES[store]:
        assert f"{name}: did not answer within 1.5 s" in response.content.decode()


@pytest.mark.parametrize(
    ("attribute", "sentence"),
    [("SUPERUSER", "is a superuser"), ("BYPASSRLS", "has BYPASSRLS"), (None, "owns tables")],
    ids=["superuser", "bypasses", "owner"],
)
def test_readyz_says_when_the_wall_between_tenants_does_not_hold(client, transactional_db, settings, attribute, sentence):
    assert client.get("/readyz").status_code == 200
    settings.DATABASE_ROLE = "half_a_wall"
    with roles.as_owner(), connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE half_a_wall {attribute or ''}")
        cursor.execute("GRANT SELECT ON django_celery_beat_periodictask TO half_a_wall")
        try:
            if attribute is None:
                cursor.execute("CREATE TABLE a_wall_of_its_own ()")
                cursor.execute("ALTER TABLE a_wall_of_its_own OWNER TO half_a_wall")
            response = client.get("/readyz")
        finally:
            cursor.execute("DROP OWNED BY half_a_wall")
            cursor.execute("DROP ROLE half_a_wall")
    assert response.status_code == 503
    assert sentence in response.json()["stores"]["postgresql"]["problem"]
    assert "Set DATABASE_ROLE" in response.json()["stores"]["postgresql"]["problem"]


def test_readyz_says_when_the_last_night_began(client, stores, time_machine_at):
    sync_schedule.register(schedule.SCHEDULE[0])
    PeriodicTask.objects.update(queue="night", last_run_at=time_machine_at)
    fill = client.get("/readyz").json()["last_fill"]
    assert fill["at"].startswith("2026-03-01T02:00:00")
    assert fill["age_seconds"] > 0
    assert f"last fill: {fill['age_seconds'] // 1000}" in client.get("/readyz?format=text").content.decode()


@pytest.fixture
def time_machine_at():
    return "2026-03-01T02:00:00Z"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_health_is_only_read(client, path):
    assert client.post(path).status_code == 405


def test_metrics_are_shown_to_this_machine(client, db):
    response = client.get("/metrics")
    assert response.status_code == 200
    assert b"django_http_requests_total_by_method_total" in response.content


@pytest.mark.parametrize("address", ["10.0.0.7", "2001:db8::1", "", "unknown"])
def test_metrics_are_not_there_for_others(client, db, address):
    assert client.get("/metrics", REMOTE_ADDR=address).status_code == 404


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "x-real-ip"])
def test_metrics_are_not_there_for_what_came_through_a_proxy(client, db, header):
    assert client.get("/metrics", headers={header: "127.0.0.1"}).status_code == 404


def test_metrics_networks_are_a_setting(client, db, settings):
    settings.METRICS_NETWORKS = []
    assert client.get("/metrics").status_code == 404
