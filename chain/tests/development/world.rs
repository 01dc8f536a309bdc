//! A chain whose blocks the test makes itself.

use chain::development::{DevelopmentCall, GenesisNeuron, Node, Payload, RootCall, Specification};
use chain::{
    Call, Era, ExtrinsicOutcome, ExtrinsicReference, ExtrinsicStatus, Hyperparameters, Inclusion, Metagraph,
    SignedExtrinsic,
};
use domain::types::{BlockNumber, NetUid, Rao, Uid, sha256};
use network::keys::Keypair;

pub(crate) const NETUID: NetUid = NetUid(7);
const START_MS: u64 = 1_700_000_000_000;

/// A chain in a folder of its own, with a validator (uid 0), a validator without stake (uid 1) and three miners.
pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) node: Node,
    pub(crate) specification: Specification,
}

pub(crate) fn key(name: &str) -> Keypair {
    Keypair::from_uri(&format!("//{name}")).unwrap()
}

pub(crate) fn neuron(name: &str, stake: u64) -> GenesisNeuron {
    let coldkey = key(&format!("{name}//cold")).hotkey();
    GenesisNeuron { hotkey: key(name).hotkey(), coldkey, stake: Rao(stake), axon: None }
}

pub(crate) fn specification(hyperparameters: Hyperparameters) -> Specification {
    let neurons = [("validator", 1000), ("poor", 0), ("miner0", 0), ("miner1", 0), ("miner2", 0)]
        .map(|(name, stake)| neuron(name, stake));
    Specification::single(key("root").hotkey(), NETUID, hyperparameters, neurons.to_vec())
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(specification(Hyperparameters::default()))
    }

    pub(crate) fn with(specification: Specification) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let node = Node::open(&folder.path().join("chain"), &specification, START_MS).unwrap();
        Self { folder, node, specification }
    }

    /// As after kill -9: nothing is told to the node, and the file is read again.
    pub(crate) fn killed_and_started(self) -> Self {
        let Self { folder, node, specification } = self;
        drop(node);
        let node = Node::open(&folder.path().join("chain"), &specification, START_MS).unwrap();
        Self { folder, node, specification }
    }

    pub(crate) fn head(&self) -> BlockNumber {
        self.node.read(|state| state.head().number)
    }

    pub(crate) fn advance(&self, blocks: u64) {
        for _ in 0..blocks {
            self.node.author(START_MS).unwrap();
        }
    }

    pub(crate) fn payload(&self, key: &Keypair, call: DevelopmentCall) -> Payload {
        let head = self.node.read(|state| state.head());
        Payload {
            call,
            signer: key.hotkey(),
            nonce: self.node.next_nonce(&key.hotkey()),
            era: Era { period: 8, birth: head.number },
            birth_hash: head.hash,
            genesis_hash: self.node.read(|state| state.genesis_hash()),
        }
    }

    pub(crate) fn signed(&self, key: &Keypair, call: Call) -> SignedExtrinsic {
        sign(self.payload(key, DevelopmentCall::Subtensor(call)), key)
    }

    pub(crate) fn status(&self, reference: ExtrinsicReference) -> ExtrinsicStatus {
        self.node.extrinsic_status(&reference)
    }

    /// Submits, makes a block, and gives where the extrinsic stands.
    pub(crate) fn included(&self, extrinsic: &SignedExtrinsic) -> Inclusion {
        assert_eq!(self.node.submit(&extrinsic.bytes).unwrap(), extrinsic.hash);
        self.advance(1);
        match self.status(extrinsic.reference()) {
            ExtrinsicStatus::Included(inclusion) => inclusion,
            other => panic!("not included: {other:?}"),
        }
    }

    /// The error of a call in the next block; empty when it succeeds.
    pub(crate) fn call(&self, key: &Keypair, call: Call) -> String {
        error_of(self.included(&self.signed(key, call)))
    }

    pub(crate) fn root(&self, call: RootCall) -> String {
        let root = key("root");
        error_of(self.included(&sign(self.payload(&root, DevelopmentCall::Root(call)), &root)))
    }

    pub(crate) fn set_weights(&self, name: &str, weights: &[(u16, u16)]) -> String {
        self.call(&key(name), weights_call(weights))
    }

    pub(crate) fn metagraph(&self) -> Metagraph {
        self.node.read(|state| state.metagraph(NETUID, state.head().number)).unwrap()
    }

    pub(crate) fn weights(&self, uid: u16, at: BlockNumber) -> Vec<(u16, u16)> {
        let weights = self.node.read(|state| state.weights(NETUID, Uid(uid), at)).unwrap();
        weights.into_iter().map(|(uid, weight)| (uid.0, weight)).collect()
    }
}

pub(crate) fn weights_call(weights: &[(u16, u16)]) -> Call {
    let (uids, weights) = weights.iter().map(|(uid, weight)| (Uid(*uid), *weight)).unzip();
    Call::SetWeights { netuid: NETUID, uids, weights, version_key: 0 }
}

pub(crate) fn sign(payload: Payload, key: &Keypair) -> SignedExtrinsic {
    let (nonce, era) = (payload.nonce, payload.era);
    let bytes = payload.sign(key).unwrap().encode().unwrap();
    SignedExtrinsic { hash: sha256(&bytes), bytes, signer: key.hotkey(), nonce, era }
}

pub(crate) fn error_of(inclusion: Inclusion) -> String {
    match inclusion.outcome {
        ExtrinsicOutcome::Succeeded => String::new(),
        ExtrinsicOutcome::Failed { error } => error,
    }
}
