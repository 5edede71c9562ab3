"""An endpoint in; nothing out, or a ScenarioError that says why nothing may be posted there."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from probe.errors import ScenarioError
from probe.event import Endpoint
from probe.webhook.signature import read_secret


def check_endpoint(endpoint: Endpoint) -> None:
    """Refuse a URL that is not https (http is allowed to loopback), and a secret that is none."""
    if " " in endpoint.url or not endpoint.url.isprintable():
        # Blanks and control characters are read in different ways by different libraries.
        raise ScenarioError(f"webhook.url {endpoint.name} holds a blank or a control character; take it out")
    try:
        parts = urlsplit(endpoint.url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ScenarioError(f"webhook.url {endpoint.name} is not a URL; write it as https://host/path") from error
    if not host or parts.scheme not in {"http", "https"}:
        raise ScenarioError(f"webhook.url {endpoint.name} is not a web address; write it as https://host/path")
    if parts.scheme == "http" and not is_loopback(host):
        raise ScenarioError(f"webhook.url {endpoint.name} would send call records in the clear; write it with https://")
    read_secret(endpoint.secret)


def is_loopback(host: str) -> bool:
    """Say whether a host, as it stands in a URL, is this machine. Only `localhost` and addresses: names may lie."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
