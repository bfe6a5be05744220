"""Files in a bucket of S3, or of a store that speaks as S3 does: each an object, which is there whole or not at all."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import Mapping
from importlib import import_module

from monitor.core.text import Text, say
from monitor.inventory.model import PublicBucket
from monitor.secret import Unresolved

TYPES = {".atom": "application/atom+xml; charset=utf-8", ".json": "application/json"}
"""What a reader's program is told that a file is, where Python's table does not know it or not the character set."""
FRESH_FOR = 30
"""Seconds for which whoever stands between may keep an object: the page changes within seconds."""


class BucketTrouble(Exception):
    """It did not get there: `why`."""

    def __init__(self, why: Text) -> None:
        super().__init__(why.template)
        self.why = why


async def put_objects(to: PublicBucket, files: Mapping[str, bytes], silent_for: float) -> None:
    """Write `files` into the bucket. Raises BucketTrouble; a server is given up after `silent_for` seconds.

    TLS is verified; the addressing is that by path, which every store of this kind understands.
    """
    await asyncio.to_thread(import_module, "s3fs")  # an extra, and half a second that nobody else is to wait for
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415
    from s3fs import S3FileSystem  # noqa: PLC0415

    try:
        key, secret = to.key.reveal(), to.secret.reveal()
    except Unresolved as error:
        raise BucketTrouble(error.text) from error
    files_of = S3FileSystem(
        key=key,
        secret=secret,
        endpoint_url=to.endpoint or None,
        client_kwargs={"region_name": to.region},
        config_kwargs={
            "connect_timeout": silent_for,
            "read_timeout": silent_for,
            "retries": {"max_attempts": 1},
            "s3": {"addressing_style": "path"},
        },
        asynchronous=True,
        skip_instance_cache=True,
    )
    files_of.retries = 1  # who sends again after a while is `Publishing`
    try:
        session = await files_of.set_session()
        try:
            for name, content in files.items():
                kind, cache = _type_of(name), f"max-age={FRESH_FOR}"
                async with asyncio.timeout(2 * silent_for):  # a server that never says "continue" trips no other limit
                    await files_of._pipe_file(
                        f"{to.bucket}/{to.prefix}{name}", content, ContentType=kind, CacheControl=cache
                    )
        finally:
            await session.close()
    except TimeoutError as error:
        raise BucketTrouble(say("{place} does not answer", place=to.name)) from error
    except PermissionError as error:
        raise BucketTrouble(say("{place} refuses the key, or what it may write", place=to.name)) from error
    except FileNotFoundError as error:
        raise BucketTrouble(say("there is no {place}", place=to.name)) from error
    except (OSError, BotoCoreError) as error:
        raise BucketTrouble(
            say("{place} does not take it ({error})", place=to.name, error=type(error).__name__)
        ) from error


def _type_of(name: str) -> str:
    suffix = f".{name.rpartition('.')[2]}"
    if suffix in TYPES:
        return TYPES[suffix]
    guessed = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{guessed}; charset=utf-8" if guessed.startswith("text/") else guessed
