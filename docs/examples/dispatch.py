"""A program for boto3_batch_utils, after the change of one import; run it in `kcl local --`."""

from __future__ import annotations

from kcl_py import KinesisBatchDispatcher


def main() -> None:
    import boto3

    from put_people import STREAM, make_stream

    make_stream(boto3.client("kinesis"), shards=2)
    run(STREAM)


def run(stream: str) -> None:
    dispatcher = KinesisBatchDispatcher(stream, partition_key_identifier="id")
    for number in range(1000):
        dispatcher.submit_payload({"id": number, "worth": -1.5})
    for payload in dispatcher.flush_payloads():
        print("not delivered:", payload["id"])


if __name__ == "__main__":
    main()
