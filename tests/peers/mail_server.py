"""A mail server on a port of its own choice, which it prints; each mail that it takes is a line of JSON.

mail_server.py [starttls|implicit CERTIFICATE KEY]
"""

import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        print(json.dumps({
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "login": session.auth_data,
            "tls": server.transport.get_extra_info("sslcontext") is not None,
            "subject": str(mail["subject"]),
            "id": str(mail["message-id"]),
            "body": mail.get_content(),
        }), flush=True)
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    right = (data.login, data.password) == (b"coldlog", b"an example, not a secret")
    return AuthResult(success=right, auth_data=data.login.decode() if right else None)


async def serve(how, files):
    context = None
    if files:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files)
    loop = asyncio.get_running_loop()
    later = {"tls_context": context, "require_starttls": True} if how == "starttls" else {}

    def connected():
        return SMTP(Handler(), hostname="127.0.0.1", authenticator=authenticate, auth_required=True,
                    auth_require_tls=how == "starttls", loop=loop, **later)

    at_once = context if how == "implicit" else None
    server = await loop.create_server(connected, "127.0.0.1", 0, ssl=at_once)
    print(server.sockets[0].getsockname()[1], flush=True)
    # Until it is killed.
    await server.serve_forever()


asyncio.run(serve(sys.argv[1] if len(sys.argv) > 1 else "none", sys.argv[2:]))
