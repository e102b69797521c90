"""A service written with the Python package, as its users write one."""

import sys
import threading

from daebus import Daebus, broadcast, request, response
from daebus.modules.pubsub import PubSubBroadcast

service, port = sys.argv[1], int(sys.argv[2])
app = Daebus(__name__)
heard = []
one_way = []
lock = threading.Lock()


@app.action("echo")
def echo():
    response.send(request.payload)


@app.action("add")
def add():
    response.send({"sum": request.payload["a"] + request.payload["b"]})


@app.action("fail")
def fail():
    response.error(ValueError("the disk is full, \u00e4rgerlich"))


@app.action("count")
def count():
    for i in range(1, request.payload["to"] + 1):
        response.send({"at": i}, final=False)
    response.send({"counted": request.payload["to"]})


@app.action("grumble")
def grumble():
    response.error("not yet", final=False)
    response.send({"done": True})


@app.action("give_up")
def give_up():
    response.send({"at": 1}, final=False)
    response.error("gave up")


@app.action("raise")
def raises():
    raise RuntimeError("the package logs this and says nothing")


@app.action("nan")
def nan():
    response.send({"value": float("nan"), "limit": float("inf")})


@app.action("note")
def note():
    with lock:
        one_way.append({key: value for key, value in request.raw.items() if key != "action"})


@app.action("notes")
def notes():
    with lock:
        response.send({"notes": list(one_way)})


@app.action("shout")
def shout():
    broadcast.send("from_python", request.payload)
    response.send({})


@app.action("heard")
def what_was_heard():
    with lock:
        response.send({"heard": list(heard)})


@app.listen("to_python")
def listen(payload):
    with lock:
        heard.append(payload)


@app.on_start()
def start():
    # `broadcast` connects to the default port, whatever `run` is told.
    app.broadcast = PubSubBroadcast(app.redis)
    print("ready")


app.run(service=service, redis_host="127.0.0.1", redis_port=port)
