"""The echo service of the Python package, its caller, or both; prints what the other contenders print."""

import argparse
import sys
import threading
import time

parser = argparse.ArgumentParser()
parser.add_argument("role", choices=["serve", "call"])
parser.add_argument("port", type=int)
parser.add_argument("--in-flight", type=int, default=1)
parser.add_argument("--warm-up", type=float, default=0)
parser.add_argument("--seconds", type=float, default=0)
arguments = parser.parse_args()


def serve():
    from daebus import Daebus, request, response

    app = Daebus(__name__)

    @app.action("echo")
    def echo():
        response.send(request.payload)

    # The harness closes the standard input to end the service.
    threading.Thread(target=end_with_input, daemon=True).start()
    app.run(service="python_bench", redis_host="127.0.0.1", redis_port=arguments.port)


def end_with_input():
    import os

    sys.stdin.read()
    os._exit(0)


def call():
    from daebus import DaebusCaller

    caller = DaebusCaller("python_bench", redis_host="127.0.0.1", redis_port=arguments.port)
    done = [0] * arguments.in_flight
    failed = []

    def repeat(k):
        i = 0
        try:
            while True:
                if caller.send_request("echo", {"i": i}, timeout=10) != {"i": i}:
                    raise ValueError("a reply to another request")
                i += 1
                done[k] = i
        except Exception as error:
            failed.append(error)

    for k in range(arguments.in_flight):
        threading.Thread(target=repeat, args=(k,), daemon=True).start()
    time.sleep(arguments.warm_up)
    before, began = sum(done), time.monotonic()
    time.sleep(arguments.seconds)
    rate = (sum(done) - before) / (time.monotonic() - began)
    if failed:
        sys.exit(f"{len(failed)} threads failed, the first with {failed[0]!r}")
    print("rate", rate, flush=True)


serve() if arguments.role == "serve" else call()
