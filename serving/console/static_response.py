"""Static files of the console as responses that browsers keep."""

from __future__ import annotations

from starlette.responses import Response

from serving.console.rendering import STATIC, static_file

MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def file_response(path: str) -> Response:
    """The file at an address under `static`; 404 where there is none."""
    name = path.removeprefix(f"/{STATIC}/")
    content = static_file(name)
    if content is None:
        return Response(status_code=404)
    suffix = name[name.rfind(".") :]
    return Response(
        content,
        media_type=MEDIA_TYPES[suffix],
        headers={"cache-control": "public, max-age=31536000, immutable", "x-content-type-options": "nosniff"},
    )
