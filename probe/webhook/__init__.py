"""Events in, signed HTTP posts out (Standard Webhooks 1.0), until the receiver has taken each."""

from probe.webhook.body import make_test_event
from probe.webhook.delivery import Delivered, deliver_pending, send
from probe.webhook.endpoint import check_endpoint

__all__ = ["Delivered", "check_endpoint", "deliver_pending", "make_test_event", "send"]
