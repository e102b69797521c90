"""A DaebusCaller that is told what to do, one JSON object a line, and says what came of it: `said {...}`."""

import json
import sys

from daebus import DaebusCaller

service, port = sys.argv[1], int(sys.argv[2])
caller = DaebusCaller(service, redis_host="127.0.0.1", redis_port=port)
# The constructor subscribes without waiting for the confirmation; a round trip on that connection is one.
caller.redis.ping()
while caller.redis.pubsub_numsub(caller.response_channel)[0][1] != 1:
    pass
print("ready")

for line in sys.stdin:
    command = json.loads(line)
    progress = []
    said = {"progress": progress}
    try:
        if command["do"] == "send_request":
            said["answer"] = caller.send_request(
                command["action"], command["payload"], timeout=command["timeout"], on_progress=progress.append
            )
        elif command["do"] == "send_message":
            said["answer"] = caller.send_message(command["channel"], command["payload"])
        elif command["do"] == "send_to_service":
            said["answer"] = caller.send_to_service(command["payload"], action=command["action"])
    except Exception as error:
        said["error"] = f"{type(error).__name__}: {error}"
    print("said " + json.dumps(said))

caller.close()
