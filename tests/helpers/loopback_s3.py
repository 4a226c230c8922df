"""A server on 127.0.0.1 that speaks as much of Amazon's S3 as listing a bucket and reading its
objects need.
"""

import hashlib
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from helpers.loopback import Loopback, Quiet


class S3(Loopback):
    """``objects``: key -> bytes of the one bucket, ``captions``; they may be changed while it
    runs.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        super().__init__(_Handler)


class _Handler(Quiet):
    owner: S3

    def _tag(self, body):
        return f'"{hashlib.md5(body).hexdigest()}"'

    def do_GET(self):  # noqa: N802 (the name that http.server calls)
        url = urlsplit(self.path)
        bucket, _, key = unquote(url.path).lstrip("/").partition("/")
        if bucket != "captions":
            return self.answer(404, b"<Error><Code>NoSuchBucket</Code></Error>")
        if not key:
            return self._list(parse_qs(url.query))
        body = self.owner.objects.get(key)
        if body is None:
            return self.answer(
                404,
                b"<Error><Code>NoSuchKey</Code></Error>",
                Content_Type="application/xml",
            )
        headers = {
            "ETag": self._tag(body),
            "Last_Modified": "Tue, 24 Nov 2026 00:00:00 GMT",
        }
        asked = self.headers.get("Range")
        if asked and self.command == "GET":
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start = int(first) if first else max(len(body) - int(last), 0)
            stop = int(last) + 1 if last and first else len(body)
            part = body[start:stop]
            whole = f"bytes {start}-{start + len(part) - 1}/{len(body)}"
            return self.answer(206, part, Content_Range=whole, **headers)
        return self.answer(200, body, **headers)

    do_HEAD = do_GET  # noqa: N815

    def _list(self, query):
        prefix, delimiter = (
            query.get("prefix", [""])[0],
            query.get("delimiter", [""])[0],
        )
        keys = sorted(
            key for key in self.owner.objects if key.startswith(prefix)
        )
        folders = sorted(
            {
                prefix + key[len(prefix) :].split("/")[0] + "/"
                for key in keys
                if delimiter and "/" in key[len(prefix) :]
            }
        )
        shown = [
            key
            for key in keys
            if not any(key.startswith(folder) for folder in folders)
        ]
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2026-11-24T00:00:00.000Z</LastModified>"
            f"<ETag>{escape(self._tag(self.owner.objects[key]))}</ETag><Size>{len(self.owner.objects[key])}</Size>"
            "</Contents>"
            for key in shown
        )
        entries += "".join(
            f"<CommonPrefixes><Prefix>{escape(f)}</Prefix></CommonPrefixes>"
            for f in folders
        )
        body = (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult '
            'xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>captions</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(shown)}</KeyCount>"
            f"<MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"
        )
        return self.answer(200, body.encode(), Content_Type="application/xml")
