"""A mail server on a port of its own choice, which it prints; each mail that it takes is a line of JSON."""

import email
import email.policy
import json
import socket
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult


class Handler:
    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        print(json.dumps({
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "login": session.auth_data,
            "subject": str(mail["subject"]),
            "id": str(mail["message-id"]),
            "body": mail.get_content(),
        }), flush=True)
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    right = (data.login, data.password) == (b"coldlog", b"an example, not a secret")
    return AuthResult(success=right, auth_data=data.login.decode() if right else None)


with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
controller = Controller(
    Handler(), hostname="127.0.0.1", port=port, authenticator=authenticate, auth_required=True,
    auth_require_tls=False)
controller.start()
print(port, flush=True)
# Until it is killed.
while True:
    time.sleep(60)
