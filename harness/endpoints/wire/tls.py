"""How the client `wire` checks whom it talks to: certificates verified, by the authorities that the SDKs trust."""

from __future__ import annotations

import os
import ssl

from aiobotocore.session import AioSession
from botocore.httpsession import get_cert_path


def make_tls(session: AioSession) -> ssl.SSLContext:
    """A context that verifies, with `ca_bundle` (AWS_CA_BUNDLE), REQUESTS_CA_BUNDLE or the usual authorities.

    OSError: the file named there cannot be read or holds no certificate.
    """
    bundle = session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
    context = ssl.create_default_context(cafile=bundle or get_cert_path(True))
    context.set_alpn_protocols(["http/1.1"])
    return context
