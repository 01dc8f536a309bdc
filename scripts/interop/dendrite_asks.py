"""A real Python dendrite asks our axon. Usage: dendrite_asks.py HOST:PORT HOTKEY

Each check prints one line. The exit status is 0 when all of them hold.
"""

import asyncio
import http.client
import json
import sys

import bittensor as bt

from peers import Black, Echo, Keypair, Nowhere, Slow, Stream, make_dendrite, now

failures = 0


def check(what: str, holds: bool, seen) -> None:
    global failures
    failures += not holds
    print(f"{'ok  ' if holds else 'FAIL'}  python dendrite -> assay axon: {what}" + ("" if holds else f": {seen}"), flush=True)


async def main(address: str, hotkey: str) -> None:
    host, port = address.rsplit(":", 1)
    dendrite = make_dendrite()
    target = bt.AxonInfo(version=10005000, ip=host, port=int(port), ip_type=4, hotkey=hotkey, coldkey=hotkey)

    async def ask(synapse, timeout=12.0):
        return await dendrite(target, synapse, timeout=timeout, deserialize=False)

    texts = ["hello", "", "τao ☃ 日本語 \"q\" 'q' \\ \n \u200b 😀", "x" * 100_000]
    for at, text in enumerate(texts):
        answer = await ask(Echo(prompt=text, n=at - 1))
        check(f"success ({len(text)} characters)", answer.is_success and answer.out == text.upper(), answer.dendrite)

    answers = await asyncio.gather(*[ask(Echo(prompt=f"at once {n}", n=n)) for n in range(50)])
    check("fifty at once from one dendrite", all(a.is_success for a in answers), [a.dendrite for a in answers if not a.is_success][:1])

    answer = await ask(Black())
    expected = "Forbidden. Key is blacklisted: not a validator."
    check("blacklisted", (answer.dendrite.status_code, answer.dendrite.status_message) == (403, expected), answer.dendrite)

    answer = await ask(Nowhere())
    message = answer.dendrite.status_message
    check("unknown route", answer.dendrite.status_code == 404 and message.startswith("Synapse name 'Nowhere' not found."), answer.dendrite)

    answer = await ask(Slow(), timeout=1.0)
    check("time-out", answer.dendrite.status_code == 408, answer.dendrite)

    wrong = bt.AxonInfo(version=10005000, ip=host, port=int(port), ip_type=4, hotkey=Keypair.create_from_uri("//Charlie").ss58_address, coldkey=hotkey)
    answer = await dendrite(wrong, Echo(prompt="hello"), deserialize=False)
    check("wrong signature", answer.dendrite.status_code == 401 and "Signature mismatch" in answer.dendrite.status_message, answer.dendrite)

    pieces = []
    last = None
    async for piece in dendrite.call_stream(target, Stream(prompt="one two three"), deserialize=False):
        if isinstance(piece, str):
            pieces.append(piece)
        else:
            last = piece
    check("streaming", "".join(pieces).split() == ["one", "two", "three"] and last is not None and last.is_success, (pieces, last and last.dendrite))

    ping = await ask(bt.Synapse())
    check("ping", ping.is_success, ping.dendrite)

    replays(dendrite, target)
    await dendrite.aclose_session()


def replays(dendrite, target) -> None:
    """The same request twice, and one without a signature, sent by hand: the SDK's client makes neither."""
    synapse = dendrite.preprocess_synapse_for_request(target, Echo(prompt="hello"), 12.0)
    headers, body = {k: str(v) for k, v in synapse.to_headers().items()}, json.dumps(synapse.model_dump())

    def send(headers):
        connection = http.client.HTTPConnection(target.ip, target.port, timeout=10)
        connection.request("POST", "/Echo", body, {**headers, "content-type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read().decode(), dict(response.getheaders())

    status, text, _ = send(headers)
    check("the request to be replayed", status == 200, text)
    status, text, answered = send(headers)
    check("replayed nonce", status == 401 and "a newer one was last processed" in text, text)
    message = f"{answered['bt_header_axon_nonce']}.{dendrite.keypair.ss58_address}.{target.hotkey}.{answered['bt_header_axon_uuid']}"
    signed = Keypair(ss58_address=target.hotkey).verify(message, answered["bt_header_axon_signature"])
    check("errors are signed by the axon", signed, answered)
    unsigned = {k: v for k, v in headers.items() if k != "bt_header_dendrite_signature"}
    unsigned["bt_header_dendrite_nonce"] = str(now())
    status, text, _ = send(unsigned)
    check("no signature", status == 401 and "Missing Signature" in text, text)


asyncio.run(main(sys.argv[1], sys.argv[2]))
sys.exit(1 if failures else 0)
