"""Who may call: function keys are the host's to check, sign-ins the platform's; here it is rights and origins.

With App Service authentication (Easy Auth) the platform checks token or cookie, removes any header
`X-MS-CLIENT-PRINCIPAL` that came from outside, and sets it: base64 of JSON with the caller's claims. Without it anybody
can send that header, so it is read only where the settings say `entra`, which they may only where the platform says
that its authentication is on. Source: Microsoft, "Work with user identities in Azure App Service authentication".
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import azure.functions as func

from shared.contracts.access import NAME_LIMIT, Caller, Identity, Right
from shared.errors import NotAllowed, NotSignedIn, WrongMediaType
from shared.settings import access

PRINCIPAL = "x-ms-client-principal"
_SCHEMAS = "http://schemas.microsoft.com"
_OBJECT_IDS = ("oid", f"{_SCHEMAS}/identity/claims/objectidentifier")
_TENANTS = ("tid", f"{_SCHEMAS}/identity/claims/tenantid")
_ROLES = ("roles", f"{_SCHEMAS}/ws/2008/06/identity/claims/role")
_NAMES = (
    "preferred_username",
    "upn",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
    "name",
    "appid",
    "azp",
)
"""Claims that name the caller, the best one first; a program has an application id only."""
_ENTRA = "aad"
"""What the platform calls its identity provider Entra."""


def admit(req: func.HttpRequest, needs: Right) -> Caller:
    """Who calls, once it is clear that they may.

    Raises:
        NotSignedIn, NotAllowed, WrongMediaType: they may not.
    """
    caller = caller_of(req)
    if needs not in caller.rights:
        raise NotAllowed(f"This needs the app role {needs}, which {_called(caller)} does not have.")
    if req.method != "GET":
        _require_own_page(req)
        _require_json(req)
    return caller


def caller_of(req: func.HttpRequest) -> Caller:
    """Who calls.

    Raises:
        NotSignedIn: nobody vouches for them.
    """
    configured = access()
    if configured.authentication == "keys":
        return Caller(rights=frozenset(Right))
    return read_principal(req.headers.get(PRINCIPAL) or "", configured.tenant)


def read_principal(header: str, tenant: str) -> Caller:
    """The caller that the platform vouches for.

    Raises:
        NotSignedIn: it names nobody, nobody of Entra, or nobody of this tenant.
    """
    principal = _decoded(header)
    if principal.get("auth_typ") != _ENTRA:
        raise NotSignedIn("Nobody is signed in with Microsoft Entra; sign in, or send a token for this app.")
    claims = principal.get("claims")
    values = _values(claims if isinstance(claims, list) else [])
    if [one.lower() for one in _all(values, _TENANTS)] != [tenant]:
        raise NotSignedIn("Only users of this app's own Entra tenant may come in.")
    object_ids = _all(values, _OBJECT_IDS)
    if len(object_ids) != 1 or not object_ids[0].isprintable():
        raise NotSignedIn("The sign-in does not say who it is: it needs one object id.")
    known = {right.value: right for right in Right}
    rights = frozenset(known[role] for role in _all(values, _ROLES) if role in known)
    return Caller(rights, Identity(object_id=object_ids[0], name=_name(values) or object_ids[0]))


def _decoded(header: str) -> Mapping[str, Any]:
    """The header's JSON object; an empty one where it holds none."""
    try:
        principal = json.loads(base64.b64decode(header, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return principal if isinstance(principal, dict) else {}


def _values(claims: list[Any]) -> dict[str, list[str]]:
    """The values of the claims, by type, each once."""
    values: dict[str, list[str]] = {}
    for claim in claims:
        match claim:
            case {"typ": str(kind), "val": str(value)} if value and value not in values.get(kind, []):
                values.setdefault(kind, []).append(value)
    return values


def _all(values: Mapping[str, list[str]], kinds: tuple[str, ...]) -> list[str]:
    return list(dict.fromkeys(value for kind in kinds for value in values.get(kind, [])))


def _name(values: Mapping[str, list[str]]) -> str:
    names = (name for name in _all(values, _NAMES) if name.isprintable())
    return next(names, "")[:NAME_LIMIT]


def _called(caller: Caller) -> str:
    return caller.identity.name if caller.identity else "this caller"


def _require_own_page(req: func.HttpRequest) -> None:
    """Refuse what a page of somebody else has a browser send, with the sign-in cookie of whoever looks at it."""
    site, origin = req.headers.get("sec-fetch-site"), req.headers.get("origin")
    if site == "same-origin" or (site is None and (origin is None or _host(origin) == urlsplit(req.url).netloc)):
        return
    raise NotAllowed("A page of another site has sent this; only the app's own console may.")


def _host(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _require_json(req: func.HttpRequest) -> None:
    """Refuse the media types that forms send, which browsers let every page send anywhere."""
    said = req.headers.get("content-type")
    if said is None and not req.get_body():
        return
    if (said or "").partition(";")[0].strip().lower() != "application/json":
        raise WrongMediaType("Say that the body is JSON: Content-Type: application/json.")
