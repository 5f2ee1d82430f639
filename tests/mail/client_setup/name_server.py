"""Runs a command in a network of its own, whose only name server knows one zone and denies all else.

Usage: `unshare --net --mount python -m tests.mail.client_setup.name_server ZONE DOMAIN RESOLV_CONF COMMAND…`; RESOLV_CONF names
127.0.0.1 and takes the place of the system's.
"""

import fcntl
import socket
import struct
import subprocess
import sys
import threading

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rrset
import dns.zone

SIOCSIFFLAGS = 0x8914
IFF_UP = 1


def answer(zone: dns.zone.Zone, question: bytes) -> bytes:
    """What the name server says."""
    asked = dns.message.from_wire(question)
    told = dns.message.make_response(asked)
    told.flags |= dns.flags.AA
    name, kind = asked.question[0].name, asked.question[0].rdtype
    found = zone.get_rdataset(name, kind) if name.is_subdomain(zone.origin or dns.name.root) else None
    if found is None:
        told.set_rcode(dns.rcode.NXDOMAIN)
    else:
        told.answer.append(dns.rrset.from_rdata_list(name, found.ttl, list(found)))
    return told.to_wire()


def main(zone_file: str, domain: str, resolv_conf: str, command: list[str]) -> int:
    """Serve the zone until the command has ended; returns its exit code."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
    subprocess.run(["mount", "--bind", resolv_conf, "/etc/resolv.conf"], check=True)
    zone = dns.zone.from_file(zone_file, f"{domain}.", relativize=False, check_origin=False)
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))

    def serve() -> None:
        while True:
            question, client = server.recvfrom(4096)
            server.sendto(answer(zone, question), client)

    threading.Thread(target=serve, daemon=True).start()
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]))
