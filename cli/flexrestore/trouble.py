"""What stands in a command's way: a problem of the service (RFC 9457), or a service that does not answer."""

from typing import Any

import httpx

from flexrestore.exits import Exit

type Json = dict[str, Any]

_EXITS = {
    400: Exit.REJECTED,
    401: Exit.NOT_ALLOWED,
    403: Exit.NOT_ALLOWED,
    404: Exit.NOT_FOUND,
    409: Exit.CONFLICT,
    422: Exit.REJECTED,
}
_HINTS = {
    401: "Give a function key in FLEXRESTORE_KEY, or sign in with Entra: FLEXRESTORE_SCOPE.",
    403: "You, or this network, may not do that.",
}


class Trouble(Exception):
    """Ends a command; `document` is what `--json` prints, `exit` how the process ends."""

    def __init__(self, exit_code: Exit, document: Json) -> None:
        super().__init__(document["detail"])
        self.exit = exit_code
        self.document = document

    @classmethod
    def of(cls, exit_code: Exit, code: str, title: str, detail: str) -> "Trouble":
        """Trouble that this program has found."""
        return cls(exit_code, {"type": "about:blank", "title": title, "detail": detail, "code": code, "errors": []})

    @classmethod
    def unreachable(cls, url: httpx.URL, error: Exception) -> "Trouble":
        """Nobody answers there."""
        detail = f"{_place(url)} does not answer: {str(error) or type(error).__name__}."
        return cls.of(Exit.UNAVAILABLE, "Unreachable", "The service cannot be reached", detail)

    @classmethod
    def stranger(cls, response: httpx.Response) -> "Trouble":
        """Something answers there that does not speak as Flex Restore does."""
        where = f" to {response.headers['location']}" if "location" in response.headers else ""
        detail = (
            f"{_place(response.url)} answered {response.status_code}{where}, not as Flex Restore does: is --url right?"
        )
        return cls.of(Exit.UNAVAILABLE, "NotTheService", "This is not Flex Restore", detail)

    @classmethod
    def answered(cls, response: httpx.Response) -> "Trouble":
        """The problem that the service answered."""
        status = 401 if _leads_to_sign_in(response) else response.status_code
        exit_code = _EXITS.get(status, Exit.UNAVAILABLE)
        document = _problem(response)
        if document is None:
            if status not in {401, 403, 429} and status < 500:
                return cls.stranger(response)
            title = f"{response.status_code} {response.reason_phrase}".strip()
            detail = _HINTS.get(status, f"{_place(response.url)} answered {status} without saying why.")
            document = cls.of(exit_code, "NoProblemGiven", title, detail).document | {"status": response.status_code}
        return cls(exit_code, document)


def _leads_to_sign_in(response: httpx.Response) -> bool:
    """Whether the platform would have a browser sign in: that is how it answers whoever has sent no token."""
    where = response.headers.get("location", "").partition("?")[0] if response.is_redirect else ""
    return "/oauth2/" in where or "/.auth/login/" in where


def _place(url: httpx.URL) -> httpx.URL:
    """The address without a name and a password in it."""
    return url.copy_with(userinfo=b"")


def _problem(response: httpx.Response) -> Json | None:
    """The problem of an answer; None when it is something else, as a proxy's page is."""
    try:
        document = response.json()
    except ValueError:
        return None
    return document if isinstance(document, dict) and isinstance(document.get("detail"), str) else None
