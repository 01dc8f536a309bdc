//! A small chain with a clock of its own: five neurons, the first a validator.

use std::cell::Cell;

use codec::{Decode, DecodeAll, Encode};
use domain::types::{NetUid, Rao};
use localnet::extrinsic::{Signing, sign};
use localnet::runtime::node_subtensor_runtime::{RuntimeCall, RuntimeError, RuntimeEvent};
use localnet::runtime::sp_core::crypto::AccountId32;
use localnet::runtime::sp_runtime::DispatchError;
use localnet::runtime::sp_runtime::generic::era::Era;
use localnet::runtime::{frame_system, pallet_development, pallet_subtensor, pallet_sudo};
use localnet::{GenesisNeuron, Hyperparameters, Node, Specification};
use network::keys::Keypair;

pub(crate) const NETUID: u16 = 2;
pub(crate) const STAKE: Rao = Rao(1_000);

pub(crate) fn key(name: &str) -> Keypair {
    Keypair::from_uri(&format!("//{name}")).unwrap()
}

pub(crate) fn account(name: &str) -> AccountId32 {
    AccountId32(key(name).public())
}

pub(crate) fn specification(hyperparameters: Hyperparameters) -> Specification {
    let neuron = |name: &str, stake: u64| GenesisNeuron {
        hotkey: key(name).hotkey(),
        coldkey: key(&format!("{name}//cold")).hotkey(),
        stake: Rao(stake),
        axon: None,
    };
    let neurons =
        vec![neuron("Alice", STAKE.0), neuron("Bob", 0), neuron("miner0", 0), neuron("miner1", 0), neuron("miner2", 0)];
    Specification::single(key("root").hotkey(), NetUid(NETUID), hyperparameters, neurons)
}

pub(crate) struct World {
    pub(crate) node: Node,
    pub(crate) specification: Specification,
    pub(crate) folder: tempfile::TempDir,
    clock: Cell<u64>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Hyperparameters::default())
    }

    pub(crate) fn with(hyperparameters: Hyperparameters) -> Self {
        Self::of(specification(hyperparameters))
    }

    pub(crate) fn of(specification: Specification) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let node = Node::open(&folder.path().join("chain"), &specification, 0).unwrap();
        Self { node, specification, folder, clock: Cell::new(0) }
    }

    /// The same file in a new process.
    pub(crate) fn killed_and_started(self) -> Self {
        let Self { node, specification, folder, clock } = self;
        drop(node);
        let node = Node::open(&folder.path().join("chain"), &specification, clock.get()).unwrap();
        Self { node, specification, folder, clock }
    }

    pub(crate) fn advance(&self, blocks: u32) {
        for _ in 0..blocks {
            self.clock.set(self.clock.get() + 12_000);
            self.node.author(self.clock.get()).unwrap();
        }
    }

    pub(crate) fn height(&self) -> u32 {
        self.node.read(localnet::State::height)
    }

    pub(crate) fn signing(&self, key: &Keypair) -> Signing {
        let (genesis_hash, head, birth_hash) =
            self.node.read(|state| (state.genesis_hash(), state.height(), state.head().hash));
        let spec_version = self.specification.schedule.spec_version();
        let era = Era::Mortal { period: 8, phase: u64::from(head) % 8 };
        let nonce = self.node.next_nonce(&AccountId32(key.public()));
        Signing { nonce, era, spec_version, genesis_hash, birth_hash }
    }

    pub(crate) fn signed(&self, key: &Keypair, call: &RuntimeCall) -> Vec<u8> {
        sign(call, &self.signing(key), key)
    }

    /// Sends a call and gives the error of its dispatch, or nothing.
    pub(crate) fn call(&self, name: &str, call: impl Into<RuntimeCall>) -> String {
        let key = key(name);
        let hash = self.node.submit(&self.signed(&key, &call.into())).unwrap();
        self.advance(1);
        self.outcome(&hash)
    }

    /// Sends a root call and gives the error of the call within, or nothing.
    pub(crate) fn root(&self, call: impl Into<RuntimeCall>) -> String {
        let call = RuntimeCall::Sudo(pallet_sudo::pallet::Call::sudo { call: Box::new(call.into()) });
        assert_eq!(self.call("root", call), "");
        let mut results = self.events(self.height()).into_iter().filter_map(|event| match event {
            RuntimeEvent::Sudo(pallet_sudo::pallet::Event::Sudid { sudo_result }) => Some(sudo_result),
            _ => None,
        });
        results.next_back().unwrap().map_or_else(name_of, |()| String::new())
    }

    /// The error of an included extrinsic, or nothing.
    pub(crate) fn outcome(&self, hash: &[u8; 32]) -> String {
        let (number, index) = self.node.read(|state| state.inclusion(hash)).expect("it is in a block");
        for record in self.records(number) {
            if record.phase != frame_system::Phase::ApplyExtrinsic(index) {
                continue;
            }
            match record.event {
                RuntimeEvent::System(frame_system::pallet::Event::ExtrinsicSuccess { .. }) => return String::new(),
                RuntimeEvent::System(frame_system::pallet::Event::ExtrinsicFailed { dispatch_error, .. }) => {
                    return name_of(dispatch_error);
                }
                _ => {}
            }
        }
        panic!("no outcome of extrinsic {index} in block {number}")
    }

    pub(crate) fn records(
        &self,
        number: u32,
    ) -> Vec<frame_system::EventRecord<RuntimeEvent, localnet::runtime::primitive_types::H256>> {
        self.node.read(|state| state.events(number))
    }

    pub(crate) fn events(&self, number: u32) -> Vec<RuntimeEvent> {
        self.records(number).into_iter().map(|record| record.event).collect()
    }
}

type Metagraph = pallet_subtensor::rpc_info::metagraph::Metagraph<AccountId32>;
type NeuronInfo = pallet_subtensor::rpc_info::neuron_info::NeuronInfo<AccountId32>;

impl World {
    /// A runtime API's answer after a block.
    pub(crate) fn ask<T: Decode>(&self, method: &str, arguments: impl Encode, number: u32) -> T {
        let answer = self.node.read(|state| state.call(method, &arguments.encode(), number)).unwrap();
        T::decode_all(&mut answer.as_slice()).unwrap()
    }

    pub(crate) fn metagraph_at(&self, number: u32) -> Metagraph {
        self.ask::<Option<Metagraph>>("SubnetInfoRuntimeApi_get_metagraph", NETUID, number).unwrap()
    }

    pub(crate) fn metagraph(&self) -> Metagraph {
        self.metagraph_at(self.height())
    }

    pub(crate) fn neuron_at(&self, uid: u16, number: u32) -> NeuronInfo {
        self.ask::<Option<NeuronInfo>>("NeuronInfoRuntimeApi_get_neuron", (NETUID, uid), number).unwrap()
    }

    pub(crate) fn weights_at(&self, uid: u16, number: u32) -> Vec<(u16, u16)> {
        self.neuron_at(uid, number).weights.into_iter().map(|(uid, weight)| (uid.0, weight.0)).collect()
    }

    pub(crate) fn uid_of(&self, name: &str, number: u32) -> Option<usize> {
        self.metagraph_at(number).hotkeys.iter().position(|hotkey| *hotkey == account(name))
    }

    pub(crate) fn set_hyperparameters(&self, hyperparameters: Hyperparameters) -> String {
        self.root(pallet_development::pallet::Call::set_hyperparameters { netuid: NETUID, hyperparameters })
    }
}

pub(crate) fn name_of(error: DispatchError) -> String {
    match error {
        DispatchError::Module(error) => RuntimeError::of(error).unwrap().name(),
        other => format!("{other:?}"),
    }
}

pub(crate) fn weights(row: &[(u16, u16)]) -> pallet_subtensor::pallet::Call {
    let (dests, weights) = row.iter().copied().unzip();
    pallet_subtensor::pallet::Call::set_weights { netuid: NETUID, dests, weights, version_key: 0 }
}
