"""Cluster DNS for tests, as small as can be: A records of headless Services' endpoints.

`python -m tests.nodes.names KUBECONFIG` answers at 10.96.0.10 from what the API server has at that
moment (Kubernetes: "DNS-Based Service Discovery", 2.4).
"""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys

from tests.conformance.kube import plane

ADDRESS = "10.96.0.10"
DOMAIN = "cluster.local"
A, NOT_FOUND = 1, 3
ANSWER = 0x8580  # a response, authoritative, as recursive as asked
TTL = 1


def addresses(name: str, kubeconfig: str) -> list[str] | None:
    """Of a name below `svc`: a Service's endpoints, or the one called so; None: there is none."""
    labels = name.lower().removesuffix(f".svc.{DOMAIN}").split(".")
    if not name.endswith(f".svc.{DOMAIN}") or len(labels) not in (2, 3):
        return None
    *host, service, namespace = labels
    done = subprocess.run(
        [plane.kubectl(), "--kubeconfig", kubeconfig, "-n", namespace, "get", "endpointslices",
         "-l", f"kubernetes.io/service-name={service}", "-o", "json"],
        capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        return None
    found = [
        address
        for each in json.loads(done.stdout)["items"]
        for endpoint in each["endpoints"] or ()
        if not host or endpoint.get("hostname") == host[0]
        for address in endpoint["addresses"]
    ]
    return found or None


def reply(asked: bytes, kubeconfig: str) -> bytes:
    """The answer to one question (RFC 1035, 4.1)."""
    at, labels = 12, []
    while asked[at]:
        labels.append(asked[at + 1 : at + 1 + asked[at]].decode())
        at += 1 + asked[at]
    (kind,) = struct.unpack_from("!H", asked, at + 1)
    found = addresses(".".join(labels), kubeconfig)
    told = found if found and kind == A else []
    code = 0 if found else NOT_FOUND
    head = asked[:2] + struct.pack("!5H", ANSWER | code, 1, len(told), 0, 0)
    pointed = struct.pack("!3HIH", 0xC00C, A, 1, TTL, 4)  # the name is the question's
    records = b"".join(pointed + socket.inet_aton(address) for address in told)
    return head + asked[12 : at + 5] + records


def main(kubeconfig: str) -> None:
    """Answer until killed."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind((ADDRESS, 53))
        while True:
            asked, whom = door.recvfrom(512)
            door.sendto(reply(asked, kubeconfig), whom)


if __name__ == "__main__":
    main(sys.argv[1])
