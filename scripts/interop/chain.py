"""The Python SDK on our development chain. Usage: chain.py BINARY FOLDER, with the chain's program and an empty folder.

Reads what genesis put in, sets weights, serves an axon, commits bytes, and reads what an epoch made of it. Then the same SDK
in commit-reveal mode, on a chain with the stateful schedule. Each check prints one line; the exit status is 0 when all hold.
"""

import sys
import time
from pathlib import Path

import bittensor as bt
from bittensor.core.axon import Axon
from bittensor.core.extrinsics.weights import commit_timelocked_weights_extrinsic, set_weights_extrinsic

from chain_world import (
    BLOCK_SECONDS,
    NETUID,
    NEURONS,
    QUICKNET_GENESIS,
    QUICKNET_PERIOD,
    check,
    genesis,
    result,
    running,
    same,
    storage,
    wait_until,
    wallet,
)

TEMPO = 20
# An epoch of the legacy schedule is at every block with (block + netuid + 1) mod (tempo + 1) = tempo.
PERIOD = TEMPO + 1
RATE_LIMIT = 8


def next_epoch(block: int) -> int:
    """The block of the first epoch after a block."""
    return block + 1 + (TEMPO - (block + 1 + NETUID + 1)) % PERIOD


def reads_genesis(subtensor: bt.Subtensor) -> None:
    metagraph = subtensor.metagraph(NETUID, lite=False)
    same("metagraph: uids", list(metagraph.uids), list(range(len(NEURONS))))
    same("metagraph: hotkeys", metagraph.hotkeys, [neuron.hotkey.ss58_address for neuron in NEURONS])
    same("metagraph: coldkeys", metagraph.coldkeys, [neuron.coldkey.ss58_address for neuron in NEURONS])
    same("metagraph: stakes", [round(float(stake) * 1e3) for stake in metagraph.S], [neuron.stake // 10**6 for neuron in NEURONS])
    same("metagraph: permits", list(metagraph.validator_permit), [neuron.stake > 0 for neuron in NEURONS])
    same(
        "metagraph: axons",
        [(axon.ip, axon.port) if axon.is_serving else None for axon in metagraph.axons],
        [neuron.axon for neuron in NEURONS],
    )
    same("metagraph: axons belong to their hotkeys", [axon.hotkey for axon in metagraph.axons], metagraph.hotkeys)
    stake = subtensor.get_stake(NEURONS[1].coldkey.ss58_address, NEURONS[1].hotkey.ss58_address, NETUID)
    same("stake of one hotkey", stake.rao, NEURONS[1].stake)
    parameters = subtensor.get_subnet_hyperparameters(NETUID)
    read = (parameters.tempo, parameters.weights_rate_limit, parameters.commit_reveal_weights_enabled, parameters.max_weight_limit)
    same("hyperparameters", read, (TEMPO, RATE_LIMIT, False, 65535))
    for neuron in (NEURONS[0], NEURONS[4]):
        uid = subtensor.get_uid_for_hotkey_on_subnet(neuron.hotkey.ss58_address, NETUID)
        same(f"uid of {neuron.name}", uid, NEURONS.index(neuron))


def sets_weights(subtensor: bt.Subtensor, folder: Path) -> int:
    """Two validators set weights; gives a block with both."""
    alice, bob = wallet(folder, "Alice"), wallet(folder, "Bob")
    answer = subtensor.set_weights(alice, NETUID, [2, 3], [0.25, 0.75], max_attempts=1)
    check("set_weights of a validator", answer.success, answer)
    answer = send_weights(subtensor, alice, [3, 4])
    refused = not answer.success and "SettingWeightsTooFast" in f"{answer.message} {answer.error}"
    check("set_weights again is refused by the chain: SettingWeightsTooFast", refused, answer)
    answer = send_weights(subtensor, wallet(folder, "Charlie"), [3, 4])
    refused = not answer.success and "NeuronNoValidatorPermit" in f"{answer.message} {answer.error}"
    check("set_weights of a miner is refused by the chain: NeuronNoValidatorPermit", refused, answer)
    answer = subtensor.set_weights(bob, NETUID, [2, 4], [1.0, 1.0], max_attempts=1)
    check("set_weights of a second validator", answer.success, answer)
    block = subtensor.block
    same("weights read back", subtensor.weights(NETUID, block=block), [(0, [(2, 21845), (3, 65535)]), (1, [(2, 65535), (4, 65535)])])
    updates = storage(subtensor, "LastUpdate", [NETUID], block)
    check("LastUpdate of those who set weights only", [update > 0 for update in updates] == [True, True, False, False, False], updates)
    return block


def send_weights(subtensor: bt.Subtensor, signer: bt.Wallet, uids: list[int]):
    """Weights without the SDK's own look at the rate limit."""
    return set_weights_extrinsic(
        subtensor=subtensor, wallet=signer, netuid=NETUID, mechid=0, uids=uids, weights=[1.0] * len(uids), version_key=0
    )


def serves_axon(subtensor: bt.Subtensor, folder: Path) -> None:
    axon = Axon(wallet=wallet(folder, "Eve"), ip="127.0.0.1", port=8099, external_ip="203.0.113.9", external_port=8099)
    answer = subtensor.serve_axon(NETUID, axon)
    check("serve_axon", answer.success, answer)
    seen = subtensor.metagraph(NETUID).axons[4]
    same("serve_axon: what others read", (seen.ip, seen.port, seen.ip_type), ("203.0.113.9", 8099, 4))
    axon.external_port = 8100
    answer = subtensor.serve_axon(NETUID, axon)
    refused = not answer.success and "ServingRateLimitExceeded" in f"{answer.message} {answer.error}"
    check("serve_axon again is refused by the chain: ServingRateLimitExceeded", refused, answer)


def commits_bytes(subtensor: bt.Subtensor, folder: Path) -> None:
    # The SDK counts a text's characters where the chain counts its bytes: only ASCII gets through.
    text = "checkpoint 7"
    answer = subtensor.set_commitment(wallet(folder, "Alice"), NETUID, text)
    check("set_commitment", answer.success, answer)
    same("get_commitment", subtensor.get_commitment(NETUID, 0), text)
    same("get_all_commitments", subtensor.get_all_commitments(NETUID), {NEURONS[0].hotkey.ss58_address: text})


def reads_epoch(subtensor: bt.Subtensor, weights_at: int) -> None:
    """What an epoch made of the weights. Its numbers are not computed again here: they are read in two ways and must fit."""
    at = next_epoch(weights_at)
    if not wait_until(subtensor, "an epoch after the weights", lambda: subtensor.block > at):
        return
    same("BlocksSinceLastStep at the epoch", subtensor.blocks_since_last_step(NETUID, block=at), 0)
    metagraph = subtensor.metagraph(NETUID, lite=False, block=at)
    incentive, dividends = [float(share) for share in metagraph.I], [float(share) for share in metagraph.D]
    # Alice has most of the stake: the consensus on Dave is hers alone, on Charlie that of both.
    check("incentive: miners with weights only", incentive[2] > 0 and incentive[3] > 0 and not any(incentive[:2]), incentive)
    check("incentive: sums to 1", abs(sum(incentive) - 1) < 1e-3, incentive)
    check("dividends: validators only, more to the larger", dividends[0] > dividends[1] > 0 and not any(dividends[2:]), dividends)
    emission = storage(subtensor, "Emission", [NETUID], at)
    blocks = subtensor.blocks_since_last_step(NETUID, block=at - 1) + 1
    # Shares have 32 fraction bits and are truncated.
    lost = len(NEURONS) * (1 + blocks * 10**9 / 2**32)
    check("emission: all of the tempo's", 0 <= blocks * 10**9 - sum(emission) <= lost, (emission, blocks))
    near = all(abs(float(read) * 1e9 - stored) <= stored * 1e-6 for read, stored in zip(metagraph.E, emission, strict=True))
    check("emission: that of the metagraph", near, (metagraph.E, emission))
    stored = storage(subtensor, "Incentive", [NETUID], at)
    same("incentive: that in storage", stored, [round(share * 65535) for share in incentive])
    rows = {uid: sum(value for _, value in row) for uid, row in subtensor.bonds(NETUID, block=at)}
    check("bonds of both validators", set(rows) >= {0, 1} and all(rows[uid] > 0 for uid in (0, 1)), rows)
    weights = metagraph.W[0]
    check("weights in the metagraph", abs(weights[3] - 3 * weights[2]) < 1e-3 and weights[0] == 0, weights)


def legacy(binary: str, folder: Path) -> None:
    with running(binary, folder, genesis(tempo=TEMPO, weights_rate_limit=RATE_LIMIT, serving_rate_limit=50)) as subtensor:
        same("runtime", subtensor.substrate.runtime.runtime_version, 393)
        reads_genesis(subtensor)
        if wait_until(subtensor, "blocks", lambda: subtensor.block > RATE_LIMIT):
            block = sets_weights(subtensor, folder)
            serves_axon(subtensor, folder)
            commits_bytes(subtensor, folder)
            reads_epoch(subtensor, block)


def stateful(binary: str, folder: Path) -> None:
    """Commit-reveal as SDK 10.5 does it: weights locked for a round of drand's quicknet, found from the schedule on chain."""
    specification = {**genesis(tempo=TEMPO, weights_rate_limit=0, commit_reveal_enabled=True), "schedule": "stateful"}
    with running(binary, folder, specification) as subtensor:
        same("stateful: runtime", subtensor.substrate.runtime.runtime_version, 425)
        if not wait_until(subtensor, "blocks", lambda: subtensor.block > 2):
            return
        same("stateful: next epoch", subtensor.get_next_epoch_start_block(NETUID), TEMPO)
        commits_weights(subtensor, folder)
        if not wait_until(subtensor, "stateful: two epochs", lambda: subtensor.block > 2 * TEMPO):
            return
        schedule = subtensor.get_epoch_schedule_state(NETUID, block=2 * TEMPO + 1)
        read = (schedule.last_epoch_block, schedule.subnet_epoch_index, schedule.blocks_since_last_step, schedule.pending_epoch_at)
        same("stateful: schedule after two epochs", read, (2 * TEMPO, 2, 1, 0))
        same("stateful: next epoch after two", subtensor.get_next_epoch_start_block(NETUID, block=2 * TEMPO + 1), 3 * TEMPO)
        metagraph = subtensor.metagraph(NETUID, lite=False)
        same("stateful: metagraph", metagraph.hotkeys, [neuron.hotkey.ss58_address for neuron in NEURONS])
        same("stateful: last step in the metagraph", subtensor.get_metagraph_info(NETUID, block=2 * TEMPO + 1).last_step, 2 * TEMPO)


def commits_weights(subtensor: bt.Subtensor, folder: Path) -> None:
    alice = wallet(folder, "Alice")
    answer = subtensor.set_weights(alice, NETUID, [2, 3], [0.25, 0.75], block_time=BLOCK_SECONDS, max_attempts=1)
    now = time.time()
    check("stateful: set_weights commits", answer.success and answer.extrinsic_function == commit_timelocked_weights_extrinsic.__name__, answer)
    if not answer.success:
        return
    call = answer.extrinsic.value["call"]["call_function"]
    same("stateful: the call", call, "commit_timelocked_mechanism_weights")
    events = [event["event"]["event_id"] for event in answer.extrinsic_receipt.triggered_events]
    check("stateful: TimelockedWeightsCommitted", "TimelockedWeightsCommitted" in events, events)
    block = subtensor.substrate.get_block_number(answer.extrinsic_receipt.block_hash)
    epoch = subtensor.get_subnet_epoch_index(NETUID, block=block)
    commits = subtensor.get_timelocked_weight_commits(NETUID, block=block)
    same("stateful: one commit is stored", len(commits), 1)
    who, committed, ciphertext, reveal_round = commits[0]
    same("stateful: whose and when", (who, committed), (NEURONS[0].hotkey.ss58_address, block))
    same("stateful: what was locked", bytes.fromhex(ciphertext.removeprefix("0x")), answer.data["commit_for_reveal"])
    same("stateful: for which round", reveal_round, answer.data["reveal_round"])
    # The epoch of the commit ends at its next tempo; the SDK adds three blocks to where that begins.
    opened = (epoch + 1) * TEMPO + 3
    expected = (now + (opened - block) * BLOCK_SECONDS - QUICKNET_GENESIS) / QUICKNET_PERIOD
    check("stateful: the round is that of the next epoch", abs(reveal_round - expected) <= 2, (reveal_round, expected))
    same("stateful: nothing is revealed yet", subtensor.weights(NETUID, block=block), [])
    check("stateful: LastUpdate is that of the commit", storage(subtensor, "LastUpdate", [NETUID], block)[0] == block, block)
    # Quicknet's rounds are not this chain's: nobody opens the commit, and it is gone an epoch after its own.
    late = 2 * TEMPO
    if wait_until(subtensor, "stateful: the commit's epoch ends", lambda: subtensor.block > late):
        same("stateful: a commit without a pulse is dropped", subtensor.get_timelocked_weight_commits(NETUID), [])


if __name__ == "__main__":
    program, work = sys.argv[1], Path(sys.argv[2])
    legacy(program, work / "legacy")
    stateful(program, work / "stateful")
    sys.exit(result())
