"""Says what is missing of a container's limits and rights. Reads `docker inspect` of one or more on standard input."""

import json
import re
import sys

def policies(service):
    """What a check finds wrong stays wrong until somebody mends it, so a check is not run again by itself."""
    return ("no", "") if service.startswith("check-") else ("unless-stopped", "on-failure")


wrong = []
for container in json.load(sys.stdin):
    host, config = container["HostConfig"], container["Config"]
    expected = {
        "a read-only root": host["ReadonlyRootfs"],
        # The proxy's program does not start without the one that it has by its file.
        "no capabilities": host["CapDrop"] == ["ALL"]
        and {capability.removeprefix("CAP_") for capability in host["CapAdd"] or []} <= {"NET_BIND_SERVICE"}
        and not host["Privileged"],
        "no new privileges": "no-new-privileges:true" in host["SecurityOpt"],
        "its restart policy": host["RestartPolicy"]["Name"] in policies(config["Labels"]["com.docker.compose.service"]),
        "a limit of memory": host["Memory"] > 0,
        "a limit of processor time": host["NanoCpus"] > 0,
        "a limit of processes": (host["PidsLimit"] or 0) > 0,
        "log rotation": {"max-size", "max-file"} <= set(host["LogConfig"]["Config"]),
        "a health check": bool(config.get("Healthcheck", {}).get("Test")),
        "another user than root": config["User"].split(":")[0] not in ("", "0", "root"),
        "no secret in its environment": not [
            variable
            for variable in config["Env"]
            if re.match(r"(?i)[^=]*(password|token|secret|key)=.", variable) or re.search(r"://[^/]*:[^/]*@", variable)
        ],
    }
    wrong += [f"{container['Name']} has not {what}" for what, holds in expected.items() if not holds]
for line in wrong:
    print(line)
sys.exit(bool(wrong))
