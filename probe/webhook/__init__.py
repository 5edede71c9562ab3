"""Events in, signed HTTP posts out (Standard Webhooks 1.0), until the receiver has taken each."""
