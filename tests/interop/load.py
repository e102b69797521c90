"""Many threads of DaebusCallers at once: each asks and looks whether the answer is its own. Says `said {...}` at the end."""

import json
import sys
import threading
import time

from daebus import DaebusCaller

service, port, threads, requests, shared = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]


def connect():
    caller = DaebusCaller(service, redis_host="127.0.0.1", redis_port=port, timeout=60)
    # The constructor subscribes without waiting for the confirmation.
    while caller.redis.pubsub_numsub(caller.response_channel)[0][1] != 1:
        time.sleep(0.001)
    return caller


one = connect() if shared == "shared" else None
callers = [one or connect() for _ in range(threads)]
# Nobody begins before everybody is there.
together = threading.Barrier(threads)
lock = threading.Lock()
said = {"right": 0, "raised": 0, "progress": 0, "wrong": []}


def ask(me, caller, n):
    question = {"thread": me, "n": n, "text": "ä" * me}
    heard = []
    if n % 5 == 4:
        try:
            caller.send_request("refuse", question)
            return "wrong", "no exception"
        except Exception as error:
            words = f"{me} may not ask {n}"
            return ("raised", heard) if str(error) == words else ("wrong", f"{type(error).__name__}: {error}")
    answer = caller.send_request("mirror", question, on_progress=heard.append)
    if answer != question or heard != [{"thread": me, "n": n}]:
        return "wrong", [question, answer, heard]
    return "right", heard


def run(me):
    together.wait()
    for n in range(requests):
        try:
            outcome, what = ask(me, callers[me], n)
        except Exception as error:
            outcome, what = "wrong", f"{me} {n} {type(error).__name__}: {error}"
        with lock:
            if outcome == "wrong":
                said["wrong"].append(what)
            else:
                said[outcome] += 1
                said["progress"] += len(what)


runners = [threading.Thread(target=run, args=(me,)) for me in range(threads)]
for runner in runners:
    runner.start()
for runner in runners:
    runner.join()
said["pending"] = sum(len(caller.pending_requests) for caller in set(callers))
for caller in set(callers):
    caller.close()
print("said " + json.dumps(said), flush=True)
