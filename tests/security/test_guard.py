"""Who may pass: keys, scopes and rates; what a refusal and the log never say."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from bento.guard import keys as module
from bento.guard.keys import Keys, new_key, parse
from bento.guard.limits import is_loopback
from bento.routes.table import ROUTES
from components.errors import ConfigError
from tests.live import params_with, toy_app, toy_client

ASKED = {"user_id": "user00003", "k": 1}
GUARDED = [route for route in ROUTES if route.scope is not None]
BODIES: dict[str, Any] = {
    "predict": ASKED, "recommend": ASKED, "explain": ASKED,
    "events": {"events": [{"user_id": "a", "item_id": "item00001", "action": "view", "timestamp": "2025-03-01T12Z"}]},
    "impressions": {"impressions": [{}]}, "feedback": {"feedback": [{}]}, "positions": {"positions": [{}]},
}  # fmt: skip


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def call(client: TestClient, route: Any, headers: dict[str, str] | None = None) -> Any:
    path = route.path.replace("{user_id}", "user00001")
    if path.endswith("/stream"):
        path = "/v1/live"  # its stream never ends here; the door is the same
    body = BODIES.get(route.name) if route.takes else None
    return client.request(route.method, path, json=body, headers=headers)


@pytest.mark.parametrize("route", GUARDED, ids=lambda one: one.name)
def test_every_route_asks_for_its_scope_and_no_other(route: Any) -> None:
    made = {scope: new_key(scope, [scope]) for scope in module.SCOPES}
    with toy_client(keys=Keys("\n".join(line for _, line in made.values()))) as client:
        assert call(client, route).status_code == 401
        assert call(client, route, bearer("chronotope_x_" + "A" * 43)).status_code == 401
        for scope, (key, _) in made.items():
            status = call(client, route, bearer(key)).status_code
            assert (status == 403) == (scope != route.scope), (scope, status)
            assert status != 401
        assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    "presented",
    ["", "x", "chronotope_", "é", "chronotope_shop_" + "é" * 43, "chronotope_shop_" + "A" * 43, "A" * 100_000, "\x00"],
)
def test_what_is_no_key_is_refused_whatever_it_is(presented: str) -> None:
    _, line = new_key("shop", ["read"])
    with toy_client(keys=Keys(line)) as client:
        head = {"authorization": f"Bearer {presented}".encode("latin-1", "replace")}
        found = client.get("/v1/model", headers=head)  # type: ignore[arg-type]
        assert found.status_code == 401
        assert found.headers["www-authenticate"] == "Bearer"
        assert presented == "" or presented not in found.text


def test_digests_are_compared_in_constant_time_and_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for a name that is not known: how long it takes says nothing of which names are."""
    key, line = new_key("shop", ["read"])
    compared: list[tuple[bytes, bytes]] = []

    same = hmac.compare_digest

    def noted(a: bytes, b: bytes) -> bool:
        compared.append((a, b))
        return same(a, b)

    monkeypatch.setattr(module.hmac, "compare_digest", noted)
    keys = Keys(line)
    assert keys.find(key) is not None
    assert keys.find(key[:-1] + ("A" if key[-1] != "A" else "B")) is None
    assert keys.find(key.replace("shop", "ship")) is None
    assert keys.find("nonsense") is None
    assert len(compared) == 4
    assert {len(side) for pair in compared for side in pair} == {32}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200), ("LocalHost:3000", 200), ("127.0.0.1:3000", 200), ("[::1]:3000", 200), ("[::1]", 200),
        ("evil.example", 403), ("evil.example:3000", 403), ("localhost.evil.example", 403), ("10.0.0.1", 403),
        (":3000", 403), ("[evil]", 403), ("[::1", 403),
    ],
)  # fmt: skip
def test_without_keys_a_page_of_another_site_is_not_answered(host: str, status: int) -> None:
    with toy_client(keys=Keys()) as client:
        assert client.get("/v1/model", headers={"host": host}).status_code == status
        assert client.delete("/v1/users/nobody", headers={"host": host}).status_code == status
    with toy_client(keys=Keys(open_to_all=True)) as client:
        assert client.get("/v1/model", headers={"host": host}).status_code == 200


def test_a_file_of_keys_that_is_no_text_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_S", 0.0)
    key, line = new_key("shop", ["read"])
    path = tmp_path / "keys"
    path.write_text(line)
    keys = Keys(str(path))
    path.write_bytes(b"\xff\xfe")
    assert keys.find(key) is not None
    with pytest.raises(ConfigError, match="UTF-8"):
        Keys(str(path))


def test_only_a_digest_is_kept(tmp_path: Path) -> None:
    key, line = new_key("shop", ["read", "write", "read"])
    assert line == f"shop read,write {hashlib.sha256(key.encode()).hexdigest()}"
    assert key.rpartition("_")[2] not in line
    keys = Keys(line)
    assert key not in repr(vars(keys))


def test_a_key_is_withdrawn_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_S", 0.0)
    (first, one), (second, other) = new_key("one", ["read"]), new_key("two", ["read"])
    path = tmp_path / "keys"
    path.write_text(f"# of the shop\n{one}\n{other}  # and the other\n")
    keys = Keys(str(path))
    assert keys.find(first)
    assert keys.find(second)
    path.write_text(f"{other}\n")
    assert keys.find(first) is None
    assert keys.find(second)
    path.write_text("broken")
    assert keys.find(second), "a broken file changes nothing"
    path.write_text("")
    assert keys.find(second) is None
    assert keys.configured, "a file that is empty shuts everybody out"


@pytest.mark.parametrize("text", ["shop read", "shop all " + "0" * 64, "shop read " + "0" * 63, "Shop read " + "0" * 64,
                                  f"a read {'0' * 64}\na read {'1' * 64}"])  # fmt: skip
def test_a_line_that_is_none_is_named_by_its_number_alone(text: str) -> None:
    with pytest.raises(ConfigError, match="line") as found:
        parse("# remark\n" + text, "here")
    assert "0" * 63 not in str(found.value)


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="CHRONOTOPE_KEYS"):
        Keys(str(tmp_path / "gone"))
    (tmp_path / "none").touch()
    with pytest.raises(ConfigError, match="at least one key"):
        Keys(str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("address", "mine"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("::ffff:127.0.0.1", True), ("", True),
     ("localhost", True), ("10.0.0.1", False), ("::ffff:10.0.0.1", False), ("0.0.0.0", False),
     ("127.0.0.1.evil.org", False), ("fe80::1%lo", False)],
)  # fmt: skip
def test_what_this_machine_is(address: str, mine: bool) -> None:
    assert is_loopback(address) is mine


def test_without_keys_this_machine_is_answered_and_no_other() -> None:
    for address, keys, status in (
        ("127.0.0.1", Keys(), 200), ("10.0.0.9", Keys(), 401), ("10.0.0.9", Keys(open_to_all=True), 200)
    ):  # fmt: skip
        with toy_client(keys=keys, address=address) as client:
            assert client.get("/v1/model").status_code == status
            assert client.get("/livez").status_code == 200
            forged = client.get("/v1/model", headers={"x-forwarded-for": "127.0.0.1", "forwarded": "for=127.0.0.1"})
            assert forged.status_code == status


def test_a_key_that_asks_too_often_is_told_when_to_come_back() -> None:
    (key, line), (other, second) = new_key("shop", ["read"]), new_key("other", ["read"])
    params = params_with(guard={"key_rate": {"per_s": 0.5, "burst": 3}})
    with toy_client(params, keys=Keys(f"{line};{second}")) as client:
        assert [client.get("/v1/model", headers=bearer(key)).status_code for _ in range(4)] == [200, 200, 200, 429]
        found = client.get("/v1/model", headers=bearer(key))
        assert 1 <= int(found.headers["retry-after"]) <= 2
        assert client.get("/v1/model", headers=bearer(other)).status_code == 200
        assert client.get("/livez").status_code == 200


def test_an_address_without_keys_has_a_rate_of_its_own_and_this_machine_has_none() -> None:
    params = params_with(guard={"address_rate": {"per_s": 0.01, "burst": 2}})
    with toy_client(params, keys=Keys(open_to_all=True), address="10.0.0.9") as client:
        assert [client.get("/v1/model").status_code for _ in range(3)] == [200, 200, 429]
    with toy_client(params, keys=Keys(open_to_all=True)) as client:
        assert {client.get("/v1/model").status_code for _ in range(10)} == {200}


def test_wrong_keys_are_slowed_and_shut_no_right_one_out() -> None:
    key, line = new_key("shop", ["read"])
    params = params_with(guard={"failure_rate": {"per_s": 0.01, "burst": 3}})
    with toy_client(params, keys=Keys(line)) as client:
        tried = [client.get("/v1/model", headers=bearer("chronotope_shop_" + "A" * 43)).status_code for _ in range(5)]
        assert tried == [401, 401, 401, 429, 429]
        assert client.get("/v1/model", headers=bearer(key)).status_code == 200  # of somebody behind the same address


def test_the_log_names_no_user_no_body_and_no_key() -> None:
    key, line = new_key("shop", ["read", "write", "admin"])
    lines: list[bytes] = []
    app = toy_app(keys=Keys(line), write=lines.append)
    person, place = "a-very-private-person", "item00007"
    with TestClient(app, client=("10.77.0.9", 1)) as client:
        for head in (bearer(key), bearer(key[:-1] + "!"), {}):
            client.post("/v1/predict", json={"user_id": person}, headers=head)
            client.post("/v1/predict", json={"user_id": person, "k": -1}, headers=head)
            client.post("/v1/events", json={"events": [{"user_id": person, "item_id": place}]}, headers=head)
            client.get(f"/v1/users/{person}/timeline?n=5", headers=head)
            client.delete(f"/v1/users/{person}", headers=head)
            client.get(f"/v1/{person}", headers=head)
    log = b"".join(lines).decode()
    assert log.count("\n") == 18
    assert '"route":"timeline"' in log
    assert '"key":"shop"' in log
    for private in (person, place, key, key.rpartition("_")[2], "10.77.0.9", "Bearer"):
        assert private not in log
