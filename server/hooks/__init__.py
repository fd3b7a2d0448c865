"""Webhooks: a show's log told to other people's servers, by the Standard Webhooks scheme."""
