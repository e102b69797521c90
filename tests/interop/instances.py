"""Threads of DaebusCallers that send numbered requests to several instances of one service, at an even pace. Says
`said {...}` at the end."""

import json
import sys
import threading
import time

from daebus import DaebusCaller

service, port, threads, requests, pause = sys.argv[1], *(int(n) for n in sys.argv[2:5]), float(sys.argv[5])


def connect():
    caller = DaebusCaller(service, redis_host="127.0.0.1", redis_port=port, timeout=20)
    while caller.redis.pubsub_numsub(caller.response_channel)[0][1] != 1:
        time.sleep(0.001)
    return caller


callers = [connect() for _ in range(threads)]
lock = threading.Lock()
said = {"answered": 0, "instances": [], "failed": []}
print("ready", flush=True)


def run(me):
    for n in range(requests):
        try:
            name = callers[me].send_request("work", me * requests + n)
        except Exception as error:
            with lock:
                said["failed"].append(f"{me * requests + n} {type(error).__name__}: {error}")
            continue
        with lock:
            said["answered"] += 1
            if name not in said["instances"]:
                said["instances"].append(name)
        time.sleep(pause)


runners = [threading.Thread(target=run, args=(me,)) for me in range(threads)]
for runner in runners:
    runner.start()
for runner in runners:
    runner.join()
for caller in callers:
    caller.close()
said["instances"].sort()
print("said " + json.dumps(said), flush=True)
