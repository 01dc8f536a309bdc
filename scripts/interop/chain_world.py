"""A development chain for the Python SDK to use: its genesis, its process, and wallets of its neurons.

What the SDK reads is compared with what stands in `NEURONS`, so the chain begins with exactly that.
"""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

import bittensor as bt
from bittensor_wallet import Keypair, Wallet

bt.logging.off()

NETUID = 2
# A beacon whose rounds the SDK locks weights for: drand's quicknet.
QUICKNET_GENESIS, QUICKNET_PERIOD = 1_692_803_367, 3
BLOCK_SECONDS = 0.25
WAIT_SECONDS = 30

failures = 0


def check(what: str, holds: bool, seen: object = "") -> None:
    """One line a check."""
    global failures
    failures += not holds
    print(f"{'ok  ' if holds else 'FAIL'}  python sdk -> assay chain: {what}" + ("" if holds else f": {seen}"), flush=True)


def same(what: str, seen: object, expected: object) -> None:
    check(what, seen == expected, f"{seen!r} instead of {expected!r}")


@dataclass
class Neuron:
    """A neuron of genesis: its stake in rao, and where its axon listens."""

    name: str
    stake: int
    axon: Optional[tuple[str, int]] = None

    @property
    def hotkey(self) -> Keypair:
        return Keypair.create_from_uri(f"//{self.name}")

    @property
    def coldkey(self) -> Keypair:
        return Keypair.create_from_uri(f"//{self.name}//cold")


NEURONS = [
    Neuron("Alice", 1_000_000_000_000),
    Neuron("Bob", 600_500_000_000),
    Neuron("Charlie", 0, ("10.1.2.3", 8091)),
    Neuron("Dave", 0, ("2001:db8::7", 8092)),
    Neuron("Eve", 0),
]


def genesis(**hyperparameters: object) -> dict:
    """The specification of a chain with one subnet."""
    neurons = [
        {
            "hotkey": neuron.hotkey.ss58_address,
            "coldkey": neuron.coldkey.ss58_address,
            "stake": neuron.stake,
            "axon": list(neuron.axon) if neuron.axon else None,
        }
        for neuron in NEURONS
    ]
    subnet = {"netuid": NETUID, "hyperparameters": hyperparameters, "owner": None, "neurons": neurons}
    root = Keypair.create_from_uri("//Root").ss58_address
    return {"root": root, "allow_loopback_axons": True, "subnets": [subnet]}


@contextmanager
def running(binary: str, folder: Path, specification: dict):
    """A chain in a process of its own, and a connection of the SDK to it. Both end with the block."""
    folder.mkdir()
    path = folder / "genesis.json"
    path.write_text(json.dumps(specification))
    environment = {**os.environ, "TMPDIR": str(folder)}
    command = [binary, "0", str(BLOCK_SECONDS), str(path)]
    chain = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        url = chain.stdout.readline().strip()
        if not url.startswith("ws://"):
            sys.exit(f"FAIL  the chain did not start: {url}")
        subtensor = bt.Subtensor(url)
        try:
            yield subtensor
        finally:
            subtensor.close()
    finally:
        chain.terminate()
        chain.wait(10)


def wallet(folder: Path, name: str) -> Wallet:
    """A wallet on disk, as the SDK's calls want it."""
    neuron = next(neuron for neuron in NEURONS if neuron.name == name)
    made = Wallet(name=name, hotkey="default", path=str(folder / "wallets"))
    made.set_hotkey(neuron.hotkey, encrypt=False, overwrite=True)
    made.set_coldkey(neuron.coldkey, encrypt=False, overwrite=True)
    made.set_coldkeypub(neuron.coldkey, overwrite=True)
    return made


def wait_until(subtensor: bt.Subtensor, what: str, holds: Callable[[], bool]) -> bool:
    """Asks again and again until something holds; a check fails when it never does."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(BLOCK_SECONDS / 2)
    check(what, False, f"not within {WAIT_SECONDS} s, block {subtensor.block}")
    return False


def storage(subtensor: bt.Subtensor, name: str, params: list, block: Optional[int] = None) -> object:
    """A plain value of subtensor's storage."""
    found = subtensor.query_subtensor(name, block=block, params=params)
    return getattr(found, "value", found)


def result() -> int:
    return 1 if failures else 0
