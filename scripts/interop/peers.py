"""The Python side of the interoperability checks: synapses, keys, an axon and a dendrite of bittensor 10.5.0.

The SDK asks the internet for its external address when an axon or a dendrite is made. Here both get one, so that nothing
leaves the machine.
"""

import asyncio
import time
from typing import Optional

import bittensor as bt
import bittensor.core.dendrite as dendrite_module
from bittensor.core.axon import Axon
from bittensor.core.dendrite import Dendrite
from bittensor.core.stream import StreamingSynapse
from bittensor.core.synapse import Synapse
from bittensor_wallet import Keypair

dendrite_module.networking.get_external_ip = lambda: "127.0.0.1"
bt.logging.off()


class Wallet:
    """What axon and dendrite need of a wallet."""

    def __init__(self, uri: str):
        self.hotkey = Keypair.create_from_uri(uri)
        self.coldkeypub = self.hotkey


class Echo(Synapse):
    prompt: str
    n: int = 0
    out: Optional[str] = None
    required_hash_fields = ("prompt", "n")


class Black(Synapse):
    x: Optional[int] = None


class Slow(Synapse):
    x: Optional[int] = None


class Nowhere(Synapse):
    x: Optional[int] = None


class Stream(StreamingSynapse):
    prompt: str
    completion: str = ""

    async def process_streaming_response(self, response):
        async for chunk in response.content.iter_any():
            text = chunk.decode()
            self.completion += text
            yield text

    def extract_response_json(self, response) -> dict:
        headers = {k: v for k, v in response.headers.items()}
        return {
            "name": headers.get("name", ""),
            "timeout": float(headers.get("timeout", 0)),
            "prompt": self.prompt,
            "completion": self.completion,
        }


def echo(synapse: Echo) -> Echo:
    synapse.out = synapse.prompt.upper()
    return synapse


def black(synapse: Black) -> Black:
    return synapse


def no_validator(synapse: Black) -> tuple[bool, str]:
    return True, "not a validator"


async def slow(synapse: Slow) -> Slow:
    await asyncio.sleep(3)
    return synapse


def stream(synapse: Stream) -> Stream:
    async def pieces(send):
        for word in synapse.prompt.split():
            await send({"type": "http.response.body", "body": (word + " ").encode(), "more_body": True})
            await asyncio.sleep(0.01)

    return synapse.create_streaming_response(pieces)


def make_axon(port: int) -> Axon:
    """A Python axon of //Bob on loopback, not started."""
    axon = Axon(wallet=Wallet("//Bob"), ip="127.0.0.1", port=port, external_ip="127.0.0.1", external_port=port)
    black.__annotations__["return"] = Black
    return axon.attach(echo).attach(black, blacklist_fn=typed(no_validator)).attach(slow).attach(stream)


def typed(hook):
    """The SDK compares a hook's signature with `typing`'s generics."""
    from typing import Tuple

    hook.__annotations__["return"] = Tuple[bool, str]
    return hook


def make_dendrite(uri: str = "//Alice") -> Dendrite:
    return Dendrite(wallet=Keypair.create_from_uri(uri))


def now() -> int:
    return time.time_ns()
