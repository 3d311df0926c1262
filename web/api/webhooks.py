"""Webhooks: who is told when something happens in your runs."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from apr.storage.webhooks import Delivery, Webhook
from web.api.answers import answers
from web.errors import not_found, problem
from web.hooks.sign import make_signing_secret
from web.intake.addresses import resolve
from web.security.access import Reader, Submitter, audit
from web.security.principal import Principal
from web.site import Site, SiteOf

router = APIRouter(tags=["webhooks"])

MOST = 20
Kind = Literal["ended", "plausible", "failed", "baseline", "phase", "discrepancy", "warning"]
WebhookId = Annotated[str, Path(pattern=r"^hook-[0-9a-f]{16}$", examples=["hook-0123456789abcdef"])]


class WebhookIn(BaseModel):
    """Where to post, and about which events."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"url": "https://ci.example.org/apr", "kinds": ["ended"]}]},
    )
    url: str = Field(max_length=2000)
    kinds: list[Kind] = Field(default=["ended"], min_length=1, max_length=20)


class WebhookOut(BaseModel):
    """A webhook."""

    webhook: str
    url: str
    kinds: list[str]
    created_at: datetime


class NewWebhook(WebhookOut):
    """A webhook with the secret that its signatures are made with; it is shown once."""

    secret: str


class WebhookList(BaseModel):
    """Your webhooks."""

    webhooks: list[WebhookOut]


class DeliveryOut(BaseModel):
    """What became of telling about one event."""

    message: str
    run: str
    event: int
    kind: str
    attempts: int
    due_at: datetime | None
    delivered_at: datetime | None
    said: str


class DeliveryList(BaseModel):
    """The last deliveries, the newest first."""

    deliveries: list[DeliveryOut]


@router.get("/webhooks", responses=answers(304), operation_id="listWebhooks")
def list_webhooks(site: SiteOf, principal: Reader) -> WebhookList:
    """Your webhooks."""
    found = site.webhooks.of(principal.sees)
    return WebhookList(webhooks=[WebhookOut.model_validate(_document(one)) for one in found])


@router.post("/webhooks", status_code=201, responses=answers(409), operation_id="addWebhook")
def add_webhook(
    site: SiteOf, principal: Submitter, body: WebhookIn, request: Request
) -> NewWebhook:
    """Be told of events: each is posted, signed, until it is taken or eight attempts have failed.

    The signature is that of Standard Webhooks, over `webhook-id.webhook-timestamp.body`.
    """
    if site.webhooks.count(principal.user) >= MOST:
        raise problem(409, "conflict", f"you have {MOST} webhooks already")
    private = site.settings.allow_private_addresses
    resolve(body.url, schemes=("https", "http") if private else ("https",), allow_private=private)
    webhook = Webhook(
        id=f"hook-{secrets.token_hex(8)}",
        user=principal.user,
        url=body.url,
        secret=make_signing_secret(),
        kinds=tuple(dict.fromkeys(body.kinds)),
        created_at=site.accounts.now(),
    )
    site.webhooks.add(webhook)
    audit(request, principal, "add-webhook", webhook.id, webhook.url)
    return NewWebhook.model_validate({**_document(webhook), "secret": webhook.secret})


@router.get(
    "/webhooks/{webhook_id}/deliveries",
    responses=answers(304, 404),
    operation_id="listDeliveries",
)
def list_deliveries(site: SiteOf, principal: Reader, webhook_id: WebhookId) -> DeliveryList:
    """What became of the last hundred events."""
    _find(site, principal, webhook_id)
    found = site.webhooks.deliveries(webhook_id)
    return DeliveryList(deliveries=[_delivery_out(one) for one in found])


@router.delete(
    "/webhooks/{webhook_id}",
    status_code=204,
    responses=answers(404),
    operation_id="removeWebhook",
)
def remove_webhook(
    site: SiteOf, principal: Submitter, webhook_id: WebhookId, request: Request
) -> None:
    """Be told no more."""
    site.webhooks.remove(_find(site, principal, webhook_id).id)
    audit(request, principal, "remove-webhook", webhook_id)


def _find(site: Site, principal: Principal, webhook_id: str) -> Webhook:
    for webhook in site.webhooks.of(principal.sees):
        if webhook.id == webhook_id:
            return webhook
    raise not_found(f"webhook {webhook_id}")


def _document(webhook: Webhook) -> dict[str, object]:
    return {
        "webhook": webhook.id,
        "url": webhook.url,
        "kinds": list(webhook.kinds),
        "created_at": webhook.created_at,
    }


def _delivery_out(delivery: Delivery) -> DeliveryOut:
    return DeliveryOut(
        message=delivery.message_id,
        run=delivery.run_id,
        event=delivery.sequence,
        kind=delivery.kind,
        attempts=delivery.attempts,
        due_at=delivery.due_at,
        delivered_at=delivery.delivered_at,
        said=delivery.said,
    )
