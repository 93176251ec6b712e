"""What the browser gets before Gradio starts: the page's language, its title and its link preview.

Gradio asks the browser for its language as soon as it starts, long before it runs a script of an app. So the
server decides: `?lang=` in the address, else what the browser prefers.
"""

from __future__ import annotations

import re
from html import escape

from fastapi.responses import FileResponse
from starlette.datastructures import URL, Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.files import ASSETS, asset
from demo.wording import DEFAULT, text
from faceqa.languages import LANGUAGES, Language

PREVIEW = ASSETS / "preview.jpg"
"""The picture that others show beside a link to the page: 1200 x 630 px, the size that they ask for."""

PREVIEW_PATH = "/preview.jpg"

PREVIEW_OF_GRADIO = re.compile(r'<meta\s+(?:property|name)="(?:og|twitter):[^>]*>\s*')


def language_of(wanted: str | None, accepted: str | None) -> Language:
    """The language of a page.

    Args:
        wanted: `lang` in its address; None where it is not there.
        accepted: The request's Accept-Language header (RFC 9110, 12.5.4); None where it was not sent.
    """
    weighed = []
    for part in (accepted or "").split(","):
        tag, _, quality = part.strip().partition(";q=")
        weighed.append((-_quality(quality), tag.lower().partition("-")[0]))
    preferred = [tag for quality, tag in sorted(weighed, key=lambda one: one[0]) if quality < 0]
    return next((known for tag in (wanted, *preferred) for known in LANGUAGES if known == tag), DEFAULT)


def _quality(said: str) -> float:
    try:
        return float(said or 1)
    except ValueError:
        return 0.0


def prepared(html: str, language: Language, address: URL) -> str:
    """Gradio's page in a language, with our title, description and link preview.

    Args:
        html: As Gradio serves it.
        language: Of the page, and of Gradio's own words.
        address: Of the page as the visitor sees it.
    """
    title, description = text("page.title", language), text("page.description", language)
    picture = str(address.replace(path=PREVIEW_PATH, query=""))
    about = {
        "description": description,
        "og:type": "website",
        "og:title": title,
        "og:description": description,
        "og:url": str(address.replace(query="")),
        "og:image": picture,
        "twitter:card": "summary_large_image",
    }
    tags = "".join(
        f'<meta {"property" if name.startswith("og:") else "name"}="{name}" content="{escape(content)}">'
        for name, content in about.items()
    )
    head = f"<head><title>{escape(title)}</title>{tags}<script>{asset('before_gradio.js')}</script>"
    html = PREVIEW_OF_GRADIO.sub("", html)
    html = re.sub(r'(<html\s+lang=)"\w+"', rf'\1"{language}"', html, count=1)
    return html.replace("<head>", head, 1)


class _Prepare:
    """ASGI middleware: every page goes through `prepared`; everything else passes untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/":
            await self.app(scope, receive, send)
            return
        request, started, body = Request(scope), [], b""

        async def send_prepared(message: Message) -> None:
            nonlocal body
            if message["type"] == "http.response.start":
                started.append(message)
                return
            body += message.get("body", b"")
            if message.get("more_body"):
                return
            if Headers(raw=started[0]["headers"]).get("content-type", "").startswith("text/html"):
                language = language_of(
                    request.query_params.get("lang"), request.headers.get("accept-language")
                )
                body = prepared(body.decode(), language, _seen_by_visitor(request)).encode()
                headers = MutableHeaders(raw=started[0]["headers"])
                headers["content-length"] = str(len(body))
                headers.add_vary_header("accept-language")
            await send(started[0])
            await send({"type": "http.response.body", "body": body})

        await self.app(scope, receive, send_prepared)


def _seen_by_visitor(request: Request) -> URL:
    """The address of a request, also behind a proxy that speaks HTTPS."""
    scheme = request.headers.get("x-forwarded-proto", request.url.scheme).partition(",")[0]
    return request.url.replace(scheme=scheme)


def app_options() -> dict[str, object]:
    """What FastAPI needs to serve such pages (`app_kwargs` of `gr.Blocks.launch`)."""
    preview = Route(PREVIEW_PATH, lambda _request: FileResponse(PREVIEW))
    return {"middleware": [Middleware(_Prepare)], "routes": [preview]}
