"""Deliver alerts as e-mail, over SMTP.

A password is sent over an encrypted connection only, except to this machine itself. The
Message-ID is made of the key, so that mailboxes recognise a repeated message.
"""

from __future__ import annotations

import smtplib
import ssl
from contextlib import closing
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Union
from urllib.parse import quote, urlsplit

import orjson

from indexer.forward.kinds.alert_text import alert_text
from indexer.forward.kinds.in_thread import ThreadTransport
from indexer.outbox.attempt import DELIVERED, FAILED, REJECTED, UNAUTHORIZED, AttemptResult
from indexer.outbox.parcel import Parcel
from indexer.outbox.target import Target
from telemetry_core.timestamp import parse_time

REQUIREMENT = "the e-mail settings cannot be used"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PORTS = {"smtp": 587, "smtps": 465}


class Mailer:
    """Sends e-mails by one server."""

    def __init__(self, target: Target) -> None:
        url = urlsplit(target.address)
        self._scheme = url.scheme
        self._host = url.hostname or ""
        self._port = url.port or _PORTS[url.scheme]
        self._options = dict(target.options)
        # The attempt as a whole has the time; each of its steps a part of it.
        self._timeout = target.timeout / 3

    def send(self, parcel: Parcel) -> AttemptResult:
        """Send one alert. Raises OSError."""
        try:
            with closing(self._connect()) as server:
                if self._options["user"]:
                    if not self._is_private(server):
                        return AttemptResult(FAILED, "the server offers no encryption")
                    server.login(self._options["user"], self._options["password"])
                server.send_message(self._message(parcel))
        except smtplib.SMTPAuthenticationError as error:
            return AttemptResult(UNAUTHORIZED, f"SMTP {error.smtp_code}")
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            return _by_code(max(codes, default=0))
        except smtplib.SMTPResponseException as error:
            return _by_code(error.smtp_code)
        except smtplib.SMTPException as error:
            return AttemptResult(FAILED, type(error).__name__)
        return AttemptResult(DELIVERED, "accepted by the server")

    def _connect(self) -> Union[smtplib.SMTP, smtplib.SMTP_SSL]:
        if self._scheme == "smtps":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self._host, self._port, timeout=self._timeout, context=context)
        server = smtplib.SMTP(self._host, self._port, timeout=self._timeout)
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())
            server.ehlo()
        return server

    def _is_private(self, server: smtplib.SMTP) -> bool:
        return isinstance(server.sock, ssl.SSLSocket) or self._host in _LOOPBACK

    def _message(self, parcel: Parcel) -> EmailMessage:
        alert = alert_text(parcel)
        message = EmailMessage()
        message["Subject"] = alert.title
        message["From"] = self._options["sender"]
        message["To"] = self._options["to"]
        message["Message-ID"] = f"<{quote(parcel.key, safe='')}@local-telemetry>"
        message["Date"] = format_datetime(parse_time(orjson.loads(parcel.payload)["time"]))
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(alert.text)
        return message


def transport_to(target: Target) -> ThreadTransport:
    """Return the transport for a channel."""
    return ThreadTransport(Mailer(target).send)


def _by_code(code: int) -> AttemptResult:
    return AttemptResult(REJECTED if 500 <= code < 600 else FAILED, f"SMTP {code}")
