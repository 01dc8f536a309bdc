//! A development node's real answers: what the readers of a chain's answers begin with.

use std::net::IpAddr;

use chain::Call;
use domain::types::{HexBytes, NetUid, Rao, Uid};
use localnet::{GenesisNeuron, Hyperparameters, Node, Schedule, Specification, State};
use network::keys::Keypair;
use subtensor::{CallStyle, Runtime, Signing};
use subxt::Metadata;
use subxt::ext::codec::Decode as _;
use subxt::utils::AccountId32;

/// The only subnet.
pub(super) const NETUID: NetUid = NetUid(1);

/// A chain of some blocks.
pub(super) struct World {
    pub(super) runtime: Runtime,
    /// Pallet and entry of every storage entry, and the values that were found.
    pub(super) entries: Vec<(String, String)>,
    pub(super) values: Vec<(usize, Vec<u8>)>,
    /// Trait and method of every runtime API, and the answers that were found.
    pub(super) methods: Vec<(String, String)>,
    pub(super) answers: Vec<(usize, Vec<u8>)>,
    pub(super) events: Vec<Vec<u8>>,
    pub(super) extrinsics: Vec<Vec<u8>>,
    pub(super) state: State,
}

fn specification() -> Option<Specification> {
    let key = |name: &str| Keypair::from_uri(&format!("//{name}")).ok();
    let neuron = |name: &str, stake: u64, axon: Option<(IpAddr, u16)>| {
        let (hotkey, coldkey) = (key(name)?.hotkey(), key("Owner")?.hotkey());
        Some(GenesisNeuron { hotkey, coldkey, stake: Rao(stake), axon })
    };
    let axon = Some((IpAddr::from([127, 0, 0, 1]), 8091));
    let neurons = vec![neuron("Alice", 1_000_000_000_000, None)?, neuron("Bob", 0, axon)?, neuron("Charlie", 5, None)?];
    let hyperparameters = Hyperparameters { tempo: 3, weights_rate_limit: 0, ..Hyperparameters::default() };
    let mut specification = Specification::single(key("Root")?.hotkey(), NETUID, hyperparameters, neurons);
    specification.seed = Some(HexBytes([7; 32]));
    Some(specification)
}

fn calls() -> Vec<Call> {
    let (netuid, uids, weights) = (NETUID, vec![Uid(1), Uid(2)], vec![65_535, 300]);
    let hash = HexBytes([5; 32]);
    vec![
        Call::SetWeights { netuid, uids: uids.clone(), weights: weights.clone(), version_key: 7 },
        Call::SetMechanismWeights {
            netuid,
            mechanism: 0,
            uids: uids.clone(),
            weights: weights.clone(),
            version_key: 7,
        },
        Call::CommitWeights { netuid, mechanism: 0, hash },
        Call::RevealWeights { netuid, mechanism: 0, uids, weights, salt: vec![1, 2, 3], version_key: 7 },
        Call::CommitTimelockedWeights { netuid, commit: vec![9; 300], reveal_round: 1000, commit_reveal_version: 4 },
        Call::ServeAxon { netuid, ip: IpAddr::from([127, 0, 0, 1]), port: 8092 },
        Call::SetCommitment { netuid, data: b"assay\0 an anchor".to_vec() },
    ]
}

impl World {
    /// Makes the chain in a folder that is gone afterwards; none when the operating system gives none.
    pub(super) fn new() -> Option<Self> {
        let runtime = Runtime::decode(
            Schedule::Legacy.spec_version(),
            localnet::runtime::TRANSACTION_VERSION,
            localnet::metadata(16)?,
        )
        .ok()?;
        let folder = tempfile::tempdir().ok()?;
        let node = Node::open(&folder.path().join("blocks"), &specification()?, 0).ok()?;
        let genesis_hash = HexBytes(node.read(State::genesis_hash));
        let alice = Keypair::from_uri("//Alice").ok()?;
        let mut extrinsics = Vec::new();
        let mut now = 1_760_000_000_000;
        for call in calls() {
            let nonce = node.next_nonce(&localnet::account(&alice.hotkey()).ok()?);
            let signing = Signing { nonce: nonce.into(), era: None, birth_hash: genesis_hash, genesis_hash, tip: 0 };
            let Ok(signed) = runtime.sign(&call, CallStyle::default(), &signing, &alice) else { continue };
            // What the chain refuses is an extrinsic all the same.
            let _ = node.submit(&signed.bytes);
            extrinsics.push(signed.bytes);
            now += 12_000;
            node.author(now).ok()?;
        }
        let state = node.read(State::clone);
        let metadata = Metadata::decode(&mut localnet::metadata(16)?).ok()?;
        let mut world = Self {
            runtime,
            entries: entries(&metadata),
            values: Vec::new(),
            methods: methods(&metadata),
            answers: Vec::new(),
            events: Vec::new(),
            extrinsics,
            state,
        };
        world.read(AccountId32(alice.public()));
        Some(world)
    }

    /// Asks for everything with the arguments that there may be.
    fn read(&mut self, account: AccountId32) {
        let height = self.state.height();
        for (index, (pallet, entry)) in self.entries.iter().enumerate() {
            let at = (NETUID.0, Uid(0).0);
            let keys = [
                self.runtime.storage_key(pallet, entry, ()),
                self.runtime.storage_key(pallet, entry, (NETUID.0,)),
                self.runtime.storage_key(pallet, entry, at),
                self.runtime.storage_key(pallet, entry, (NETUID.0, account)),
                self.runtime.storage_key(pallet, entry, (account,)),
                self.runtime.storage_key(pallet, entry, (account, NETUID.0)),
                self.runtime.storage_key(pallet, entry, (account, account)),
            ];
            let found = keys.into_iter().flatten().filter_map(|key| self.state.storage(&key, height));
            self.values.extend(found.map(|value| (index, value)));
        }
        for (index, (api, method)) in self.methods.iter().enumerate() {
            let netuid = NETUID.0;
            let arguments = [
                self.runtime.api_arguments(api, method, ()),
                self.runtime.api_arguments(api, method, (netuid,)),
                self.runtime.api_arguments(api, method, (netuid, 0u16)),
                self.runtime.api_arguments(api, method, (netuid, (0u16..=72).collect::<Vec<_>>())),
                self.runtime.api_arguments(api, method, (account,)),
            ];
            let name = format!("{api}_{method}");
            let ask = |arguments: Vec<u8>| self.state.call(&name, &arguments, height).ok();
            // Metadata is a target of its own.
            let found = arguments.into_iter().flatten().filter_map(ask).filter(|answer| answer.len() < 32 << 10);
            self.answers.extend(found.map(|answer| (index, answer)));
        }
        if let Ok(key) = self.runtime.storage_key("System", "Events", ()) {
            self.events = (1..=height).filter_map(|number| self.state.storage(&key, number)).collect();
        }
    }
}

fn entries(metadata: &Metadata) -> Vec<(String, String)> {
    let of = |pallet: subxt::metadata::PalletMetadata<'_>| -> Vec<(String, String)> {
        let storage = pallet.storage().map(|storage| storage.entries()).unwrap_or_default();
        storage.iter().map(|entry| (pallet.name().to_owned(), entry.name().to_owned())).collect()
    };
    metadata.pallets().flat_map(of).collect()
}

fn methods(metadata: &Metadata) -> Vec<(String, String)> {
    let all = metadata.runtime_api_traits();
    all.flat_map(|api| {
        api.methods().map(|method| (api.name().to_owned(), method.name().to_owned())).collect::<Vec<_>>()
    })
    .collect()
}
