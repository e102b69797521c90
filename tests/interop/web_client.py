"""What HTTP and WebSocket clients in Python see of a service of ours; see tests/tests/interop/web.rs.

Each function named in the arguments runs, with the addresses before it, and says `ok <name>`. A failure is an exception.
"""

import json
import re
import sys

import requests
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

http, socket = sys.argv[1], sys.argv[2]
PATIENCE = 10
ORIGIN = "http://localhost:3000"


def is_equal(got, expected):
    assert got == expected, f"{got!r} instead of {expected!r}"


def open_socket(path="", **arguments):
    return connect(socket + path, open_timeout=PATIENCE, **arguments)


def receive(client):
    return json.loads(client.recv(timeout=PATIENCE))


def ask(client, message):
    client.send(message if isinstance(message, str) else json.dumps(message))
    return receive(client)


def routes():
    user = requests.get(f"{http}/users/7", timeout=PATIENCE)
    is_equal(user.status_code, 200)
    is_equal(user.headers["content-type"], "application/json")
    is_equal(user.json(), {"id": 7, "name": "Jürgen"})
    query = requests.get(f"{http}/add", params={"a": 1, "b": 2}, timeout=PATIENCE)
    is_equal(query.json(), {"sum": 3})
    created = requests.post(f"{http}/add", json={"a": 3, "b": 4}, timeout=PATIENCE)
    is_equal((created.status_code, created.json()), (200, {"sum": 7}))
    form = requests.post(f"{http}/add", data={"a": 5, "b": 6}, timeout=PATIENCE)
    is_equal((form.status_code, form.json()), (200, {"sum": 11}))
    multipart = requests.post(f"{http}/add", files={"a": (None, "7"), "b": (None, "8")}, timeout=PATIENCE)
    is_equal((multipart.status_code, multipart.json()), (200, {"sum": 15}))
    is_equal(requests.post(f"{http}/items", json={"name": "x"}, timeout=PATIENCE).status_code, 201)


def errors():
    missing = requests.get(f"{http}/nothing", timeout=PATIENCE)
    is_equal((missing.status_code, missing.json()), (404, {"error": "Not Found", "code": "unknown_path", "path": "/nothing"}))
    unknown = requests.get(f"{http}/users/8", timeout=PATIENCE)
    is_equal(unknown.status_code, 404)
    is_equal(unknown.json()["error"], "user 8 not found")
    is_equal(unknown.json()["code"], "not_found")
    method = requests.delete(f"{http}/add", timeout=PATIENCE)
    is_equal(method.status_code, 405)
    is_equal(sorted(re.split(", ?", method.headers["allow"])), ["GET", "HEAD", "POST"])
    wrong = requests.post(f"{http}/add", json={"a": "x", "b": 1}, timeout=PATIENCE)
    is_equal(wrong.status_code, 400)
    assert "`a`" in wrong.json()["error"], wrong.text
    broken = requests.post(
        f"{http}/add", data="{", headers={"content-type": "application/json"}, timeout=PATIENCE
    )
    is_equal(broken.status_code, 400)


def cors():
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    preflight = requests.options(f"{http}/add", headers=asked, timeout=PATIENCE)
    is_equal(preflight.status_code, 200)
    is_equal(preflight.headers["access-control-allow-origin"], ORIGIN)
    assert "POST" in preflight.headers["access-control-allow-methods"], preflight.headers
    is_equal(preflight.headers["access-control-allow-credentials"], "true")
    is_equal(preflight.headers["access-control-max-age"], "3600")
    answer = requests.get(f"{http}/users/7", headers={"Origin": ORIGIN}, timeout=PATIENCE)
    is_equal(answer.headers["access-control-allow-origin"], ORIGIN)
    is_equal(answer.headers["access-control-expose-headers"].lower(), "x-total")
    foreign = requests.get(f"{http}/users/7", headers={"Origin": "http://evil.example"}, timeout=PATIENCE)
    assert "access-control-allow-origin" not in foreign.headers, foreign.headers


def frames():
    with open_socket("?token=t") as client:
        welcome = receive(client)
        is_equal(welcome["type"], "response")
        is_equal(welcome["data"]["token"], "t")
        uuid = r"user_[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
        assert re.fullmatch(uuid, welcome["data"]["id"]), welcome
        is_equal(ask(client, {"type": "echo", "data": {"é": [1, None]}}), {"type": "response", "data": {"é": [1, None]}})
        is_equal(ask(client, {"type": "echo"}), {"type": "response", "data": {}})
        is_equal(
            ask(client, {"type": "echo", "data": 1, "request_id": "r"}),
            {"type": "response", "data": 1, "request_id": "r"},
        )
        error = ask(client, {"type": "fail"})
        is_equal((error["type"], error["data"]["error"]), ("error", "user 9 not found"))
        is_equal(error["data"]["code"], "not_found")
        is_equal(ask(client, "{"), {"type": "error", "error": "Invalid JSON"})
        is_equal(ask(client, {"data": {}}), {"type": "error", "error": "No message type provided"})
        is_equal(
            ask(client, {"type": "what"}), {"type": "error", "error": "No handler found for message type 'what'"}
        )
        # A handler that returns nothing sends nothing: the next frame is the next answer.
        client.send(json.dumps({"type": "note", "data": {}}))
        is_equal(ask(client, {"type": "echo", "data": 2})["data"], 2)


def pushes():
    with open_socket() as first, open_socket() as second:
        clients = [first, second]
        ids = [receive(client)["data"]["id"] for client in clients]
        assert ids[0] != ids[1], ids
        first.send(json.dumps({"type": "shout", "data": {"words": "hey"}}))
        for client in clients:
            is_equal(receive(client), {"type": "shouted", "data": {"words": "hey"}})
        first.send(json.dumps({"type": "tell", "data": {"to": ids[1]}}))
        is_equal(receive(second), {"type": "message", "data": {"from": ids[0]}})
        first.send(json.dumps({"type": "everybody"}))
        for client in clients:
            is_equal(receive(client), {"type": "broadcast", "data": "to all"})


def rate_limit():
    with open_socket() as client:
        receive(client)
        for n in range(5):
            is_equal(ask(client, {"type": "echo", "data": n})["data"], n)
        is_equal(
            ask(client, {"type": "echo", "data": 5}),
            {"type": "error", "error": "Rate limit exceeded", "retry_after": 60},
        )


def refusals():
    with open_socket("?token=wrong") as client:
        try:
            client.recv(timeout=PATIENCE)
            raise AssertionError("a wrong token is turned away")
        except ConnectionClosed as closed:
            is_equal((closed.rcvd.code, closed.rcvd.reason), (1008, "this token isn't known"))
    try:
        open_socket(origin="http://evil.example")
        raise AssertionError("a page of another origin is refused")
    except InvalidStatus as refused:
        is_equal(refused.response.status_code, 403)


def shutdown():
    with open_socket() as client:
        receive(client)
        print("connected")
        is_equal(
            receive(client),
            {"type": "server_shutdown", "data": {"message": "Server is shutting down", "reconnect": True}},
        )
        try:
            client.recv(timeout=PATIENCE)
            raise AssertionError("the connection is closed")
        except ConnectionClosed as closed:
            is_equal(closed.rcvd.code, 1001)


for name in sys.argv[3:]:
    globals()[name]()
    print(f"ok {name}")
