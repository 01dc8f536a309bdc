"""A real Python dendrite asks our miner of Loosh's questions. Usage: dendrite_questions.py HOST:PORT HOTKEY

Its synapse class is one that a validator might write: with required fields, which the SDK looks for in the answer too. Each
check prints one line. The exit status is 0 when all of them hold.
"""

import asyncio
import sys
from typing import Any, Optional

import bittensor as bt

from peers import Synapse, make_dendrite

failures = 0


class Inference(Synapse):
    prompt: str
    max_tokens: int
    temperature: float = 0.7
    top_p: float = 0.9
    messages: Optional[list[dict[str, Any]]] = None
    a_field_of_theirs: list[float] = [1.0, 2.5]
    response_text: Optional[str] = None


class Wrong(Inference):
    """A question without its synapse's limits."""

    max_tokens: int = 0


Wrong.__name__ = "Inference"


def check(what: str, holds: bool, seen) -> None:
    global failures
    failures += not holds
    print(f"{'ok  ' if holds else 'FAIL'}  python dendrite -> assay miner: {what}" + ("" if holds else f": {seen}"), flush=True)


async def main(address: str, hotkey: str) -> None:
    host, port = address.rsplit(":", 1)
    dendrite = make_dendrite()
    target = bt.AxonInfo(version=10005000, ip=host, port=int(port), ip_type=4, hotkey=hotkey, coldkey=hotkey)

    for prompt, messages in [("Why is τ red?", None), ("unused", [{"role": "user", "content": "Why is it \"red\"?"}])]:
        asked = Inference(prompt=prompt, max_tokens=60, messages=messages)
        answer = await dendrite(target, asked, timeout=12.0, deserialize=False)
        check(f"a question with required fields ({'messages' if messages else 'prompt'})", answer.is_success and bool(answer.response_text), answer.dendrite)
        seen = (answer.prompt, answer.max_tokens, answer.messages, answer.a_field_of_theirs)
        check("its fields come back", seen == (prompt, 60, messages, [1.0, 2.5]), seen)

    answer = await dendrite(target, Wrong(prompt="Why?"), timeout=12.0, deserialize=False)
    message = answer.dendrite.status_message
    check("a refusal names the field", answer.dendrite.status_code == 422 and message.startswith("max_tokens:"), answer.dendrite)
    await dendrite.aclose_session()


asyncio.run(main(sys.argv[1], sys.argv[2]))
sys.exit(1 if failures else 0)
