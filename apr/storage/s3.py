"""Contents of artifacts in a bucket of S3, or of anything that speaks its protocol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from apr.core.errors import EnvironmentUnusableError, StoreError, StoreUnavailableError
from apr.storage.blobs import DIGEST_LENGTH, Known

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
except ImportError as error:
    raise EnvironmentUnusableError(
        f"artifacts in S3 need the Python package {error.name}: pip install 'apr[s3]'"
    ) from error

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 30
_ABSENT = frozenset({"NoSuchKey", "404"})


class S3Blobs:
    """Implements `apr.storage.blobs.BlobStore`; the address and the keys are boto3's own to find:
    AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, a profile, a machine's role."""

    def __init__(self, bucket: str, prefix: str = "") -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        config = Config(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            retries={"mode": "standard", "max_attempts": 3},
        )
        with self._explained():
            session = boto3.session.Session()
            region = session.region_name or "us-east-1"
            self._client = session.client("s3", region_name=region, config=config)

    def put(self, digest: str, data: bytes) -> None:
        """See `BlobStore.put`."""
        with self._explained():
            self._client.put_object(Bucket=self._bucket, Key=self._prefix + digest, Body=data)

    def get(self, digest: str) -> bytes | None:
        """See `BlobStore.get`."""
        with self._explained():
            try:
                found = self._client.get_object(Bucket=self._bucket, Key=self._prefix + digest)
            except ClientError as error:
                if error.response["Error"]["Code"] in _ABSENT:
                    return None
                raise
            data: bytes = found["Body"].read()
            return data

    def sweep(self, known: Known, before: datetime) -> int:
        """See `BlobStore.sweep`; whatever else lies in the bucket is left alone."""
        swept = 0
        with self._explained():
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
                old = [
                    item["Key"].removeprefix(self._prefix)
                    for item in page.get("Contents", ())
                    if item["LastModified"] < before
                ]
                ours = [name for name in old if _is_digest(name)]
                unknown = sorted(set(ours) - set(known(ours)))
                for digest in unknown:
                    self._client.delete_object(Bucket=self._bucket, Key=self._prefix + digest)
                swept += len(unknown)
        return swept

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except NoCredentialsError as error:
            raise StoreError(
                f"the bucket {self._bucket} needs keys: set AWS_ACCESS_KEY_ID and"
                " AWS_SECRET_ACCESS_KEY"
            ) from error
        except ClientError as error:
            status = error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
            kind = StoreUnavailableError if status >= 500 else StoreError
            code = error.response["Error"]["Code"]
            raise kind(f"the bucket {self._bucket} refuses ({code})") from error
        except BotoCoreError as error:
            raise StoreUnavailableError(
                f"the bucket {self._bucket} cannot be reached: {type(error).__name__}"
            ) from error


def _is_digest(name: str) -> bool:
    return len(name) == DIGEST_LENGTH and all(char in "0123456789abcdef" for char in name)
