"""Who may come in: keys, scopes, console sessions, and the first key."""

import stat
import uuid
from pathlib import Path

import httpx
import pytest

from services.api.keys import ensure_first_key
from services.api.sessions import COOKIE, Session, Sessions
from services.store.api_keys import ApiKeyRepository
from services.store.connection import connect
from tests.api_server import Api, new_key, say, serving

TOKEN = "t" * 40


def problem(answer: httpx.Response, status: int) -> dict[str, object]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, object] = answer.json()
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    return body


def test_everything_under_v1_needs_a_key(api: Api) -> None:
    with api.client() as client:
        for path in (
            "/v1/sensors",
            "/v1/alerts",
            "/v1/alerts/stream",
            "/v1/catalogue",
            "/v1/rejected",
        ):
            answer = client.get(path)
            assert problem(answer, 401)["type"] == "urn:citygauge:problem:not-signed-in"
            assert answer.headers["www-authenticate"].startswith("Bearer")
        for secret in ("cg_wrong", "", "x" * 500):
            problem(client.get("/v1/sensors", headers={"X-API-Key": secret}), 401)


def test_a_key_works_in_both_headers_and_its_scope_holds(api: Api) -> None:
    secret = new_key(api.database_url, "read", name="reader")
    alert = say(api.database_url)
    with api.client() as client:
        for headers in ({"Authorization": f"Bearer {secret}"}, {"X-API-Key": secret}):
            assert client.get("/v1/sensors", headers=headers).status_code == 200
            refused = client.post(f"/v1/alerts/{alert.id}/acknowledge", headers=headers)
            assert "operate" in str(problem(refused, 403)["detail"])


def test_a_revoked_key_is_refused_at_once_without_cache(database_url: str) -> None:
    with serving(database_url, key_cache_s=0) as api:
        secret = new_key(database_url, "admin")
        with api.client(secret) as client:
            assert client.get("/v1/session").json()["scopes"] == ["admin"]
            client.post("/v1/session", json={"key": secret}).raise_for_status()
            with connect(database_url, "test", autocommit=True) as connection:
                keys = ApiKeyRepository(connection)
                key = keys.verify(secret)
                assert key is not None
                keys.revoke(key.id)
            problem(client.get("/v1/session"), 401)
            del client.headers["Authorization"]
            problem(client.get("/v1/session"), 401)


def test_a_console_signs_in_acts_and_signs_out(api: Api) -> None:
    secret = new_key(api.database_url, "operate")
    alert = say(api.database_url)
    with api.client() as client:
        problem(client.post("/v1/session", json={"key": "cg_" + "0" * 43}), 401)
        signed = client.post("/v1/session", json={"key": secret})
        assert signed.status_code == 200
        cookie = signed.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        assert secret not in cookie
        me = client.get("/v1/session").json()
        assert me["name"] == "Ana Torres"
        assert me["until"].endswith("Z")

        path = f"/v1/alerts/{alert.id}/acknowledge"
        problem(client.post(path), 403)
        problem(
            client.post(path, headers={"X-Citygauge": "console", "Origin": "https://evil.test"}),
            403,
        )
        done = client.post(path, headers={"X-Citygauge": "console", "Origin": api.url})
        assert done.json()["acknowledged_by"] == "Ana Torres"

        assert client.delete("/v1/session").status_code == 204
        problem(client.get("/v1/session"), 401)


def test_sign_in_from_another_site_is_refused(api: Api) -> None:
    secret = new_key(api.database_url)
    with api.client() as client:
        foreign = client.post(
            "/v1/session", json={"key": secret}, headers={"Origin": "http://evil.test"}
        )
        problem(foreign, 403)


def test_the_one_time_token_signs_in_once(database_url: str) -> None:
    with (
        serving(database_url, login_token=TOKEN) as api,
        api.client() as first,
        api.client() as second,
    ):
        assert first.get("/login", params={"token": "wrong"}).headers["location"] == ("/login?used")
        opened = first.get("/login", params={"token": TOKEN})
        assert (opened.status_code, opened.headers["location"]) == (303, "/")
        assert first.get("/v1/session").json()["scopes"] == ["read", "operate"]
        assert second.get("/login", params={"token": TOKEN}).headers["location"] == ("/login?used")
        problem(second.get("/v1/session"), 401)


def test_without_a_token_no_token_signs_in(api: Api) -> None:
    with api.client() as client:
        for token in ("", "None", TOKEN):
            client.get("/login", params={"token": token})
            problem(client.get("/v1/session"), 401)


def test_sessions_end_and_cannot_be_forged() -> None:
    sessions = Sessions("s" * 32, None)
    cookie = sessions.sign(Session("key", 1000))
    assert sessions.read(cookie, 999.0) == Session("key", 1000)
    assert sessions.read(cookie, 1000.0) is None
    assert Sessions("z" * 32, None).read(cookie, 0.0) is None
    other = sessions.sign(Session("other", 1000))
    forged = other.partition(".")[0] + "." + cookie.partition(".")[2]
    for text in (forged, "", ".", "a.b", cookie[:-1], cookie + "0", "é.ü"):
        assert sessions.read(text, 0.0) is None


def test_a_session_of_a_key_that_never_was_is_refused(database_url: str) -> None:
    with serving(database_url, session_secret="s" * 32) as api, api.client() as client:
        forged = Sessions("s" * 32, None).sign(Session(str(uuid.uuid4()), 2**31))
        client.cookies.set(COOKIE, forged)
        problem(client.get("/v1/session"), 401)


def test_the_first_key_is_made_once_and_only_its_owner_reads_it(
    database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "state" / "key"
    secret = ensure_first_key(database_url, path)
    assert secret is not None
    assert path.read_text().strip() == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ensure_first_key(database_url, tmp_path / "other") is None
    assert not (tmp_path / "other").exists()
    with connect(database_url, "test", autocommit=True) as connection:
        key = ApiKeyRepository(connection).verify(secret)
    assert key is not None
    assert "admin" in key.scopes


def test_a_key_that_cannot_be_written_is_not_made(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        ensure_first_key(database_url, tmp_path / "file" / "key")
    assert ensure_first_key(database_url, tmp_path / "key") is not None


def test_metrics_ask_for_a_key_where_the_setting_says_so(database_url: str) -> None:
    with serving(database_url, metrics_need_key=True) as api:
        with api.client() as client:
            problem(client.get("/metrics"), 401)
            assert client.get("/healthz").status_code == 200
        with api.client(new_key(database_url, "read")) as client:
            assert client.get("/metrics").status_code == 200
