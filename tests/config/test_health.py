"""Alive, ready, and which store is not. Stores are really stopped, and started again."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from analytics.models import FillState
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


@pytest.mark.parametrize(("hours", "state"), [(1, "on time"), (25.9, "on time"), (26, "late"), (49.9, "late"), (50, "broken")])
def test_readyz_says_how_old_the_newest_figures_are(client, stores, time_machine, hours, state):
    time_machine.move_to(timezone.now(), tick=False)
    now = timezone.now()
    seen = now - timedelta(hours=hours)
    FillState.objects.create(rollup="engagement", seen_until=now)
    FillState.objects.create(rollup="chat", seen_until=seen)
    response = client.get("/readyz")
    assert response.status_code == 200  # old figures are no reason to take a process out of service
    assert response.json()["last_fill"] == {"at": seen.isoformat(), "age_seconds": round(hours * 3600), "state": state}
    assert f"s ago, {state}" in client.get("/readyz?format=text").content.decode()
    gauge = [line for line in client.get("/metrics").content.decode().splitlines() if line.startswith("parley_fill_age_seconds")]
    assert float(gauge[0].split()[-1]) == round(hours * 3600)


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
