"""Runs a piece of Python out of the book as it stands there, on a Redis that isn't where the package looks by itself."""

import sys

import redis

source, port = sys.argv[1], int(sys.argv[2])
connect = redis.Redis.__init__


def connect_here(self, *args, **kwargs):
    connect(self, *args, **{**kwargs, "host": "127.0.0.1", "port": port})


redis.Redis.__init__ = connect_here

with open(source, encoding="utf-8") as file:
    code = compile(file.read(), source, "exec")
exec(code, {"__name__": "__main__"})
print("done")
