//! The state machine: a pure function of genesis and the blocks after it.
//!
//! [`State::make`] says what a block does without changing anything; [`State::accept`] makes it part of the chain. Between
//! the two the block is written to disk. Two states that accepted the same blocks are equal, and reading after any block
//! gives what it was then.

use std::collections::BTreeMap;

use codec::Encode;

use crate::block::{Block, Genesis, Header, digest, extrinsics_root};
use crate::error::Error;
use crate::execution;
use crate::extrinsic::{Extrinsic, decode_timestamp, timestamp};
use crate::genesis;
use crate::hashing::blake2_256;
use crate::root::Outcome;
use crate::runtime::BLOCK_HASH_COUNT;
use crate::runtime::frame_system;
use crate::runtime::node_subtensor_runtime::{RuntimeError, RuntimeEvent};
use crate::runtime::pallet_sudo;
use crate::runtime::pallet_timestamp;
use crate::runtime::primitive_types::H256;
use crate::runtime::sp_core::crypto::AccountId32;
use crate::runtime::sp_runtime::DispatchError;
use crate::runtime::sp_runtime::generic::digest::Digest;
use crate::runtime::sp_runtime::generic::era::Era;
use crate::runtime_api;
use crate::specification::Specification;
use crate::store::{Changes, Overlay, Read as _, Store, View};

/// The state of a development chain, with all its past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    specification: Specification,
    store: Store,
    blocks: Vec<Block>,
    numbers: BTreeMap<[u8; 32], u32>,
    /// Block and index of each signed extrinsic.
    included: BTreeMap<[u8; 32], (u32, u32)>,
}

/// A block and what it changes.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) block: Block,
    changes: Changes,
    included: Vec<[u8; 32]>,
}

/// Why the next block cannot include an extrinsic, in Substrate's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Invalid {
    /// Others of the signer come first.
    Future,
    /// Its nonce was used.
    Stale,
    /// The first block of its era is unknown here.
    AncientBirthBlock,
    /// Its signature is not its signer's for this chain, runtime and era.
    BadProof,
    /// One of subtensor's own numbers.
    Custom(u8),
}

impl State {
    /// The state after block 0.
    ///
    /// # Errors
    /// [`Error::InvalidSpecification`].
    pub fn new(genesis: &Genesis) -> Result<Self, Error> {
        genesis.specification.check()?;
        let mut store = Store::default();
        let mut overlay = Overlay::new(store.at(0));
        genesis::write(&mut overlay, genesis)?;
        let (changes, state_root) = overlay.finish(blake2_256(b"localnet/genesis"));
        store.commit(0, changes);
        let header = Header {
            parent_hash: H256::default(),
            number: 0,
            state_root: H256(state_root),
            extrinsics_root: H256(extrinsics_root(&[])),
            digest: digest(&genesis.randomness),
        };
        let block = Block::new(header, Vec::new());
        let numbers = [(block.hash, 0)].into();
        let specification = genesis.specification.clone();
        Ok(Self { specification, store, blocks: vec![block], numbers, included: BTreeMap::new() })
    }

    /// The specification that it began with.
    pub fn specification(&self) -> &Specification {
        &self.specification
    }

    /// The newest block.
    pub fn head(&self) -> &Block {
        // There is always block 0.
        &self.blocks[self.blocks.len() - 1]
    }

    /// The number of the newest block.
    pub fn height(&self) -> u32 {
        self.head().header.number
    }

    /// Hash of block 0.
    pub fn genesis_hash(&self) -> [u8; 32] {
        self.blocks[0].hash
    }

    /// A block by its number.
    pub fn block(&self, number: u32) -> Option<&Block> {
        self.blocks.get(usize::try_from(number).ok()?)
    }

    /// The number of a block.
    pub fn number_of(&self, hash: &[u8; 32]) -> Option<u32> {
        self.numbers.get(hash).copied()
    }

    /// The block and the index in it that an extrinsic has.
    pub fn inclusion(&self, hash: &[u8; 32]) -> Option<(u32, u32)> {
        self.included.get(hash).copied()
    }

    /// What became of an extrinsic; none while it is in no block.
    pub fn outcome(&self, hash: &[u8; 32]) -> Option<Outcome> {
        let (block, index) = self.inclusion(hash)?;
        let own = |record: &frame_system::EventRecord<RuntimeEvent, H256>| {
            record.phase == frame_system::Phase::ApplyExtrinsic(index)
        };
        let error = self.events(block).into_iter().filter(own).find_map(|record| match record.event {
            RuntimeEvent::Sudo(pallet_sudo::pallet::Event::Sudid { sudo_result: Err(error) }) => Some(error),
            RuntimeEvent::System(frame_system::pallet::Event::ExtrinsicFailed { dispatch_error, .. }) => {
                Some(dispatch_error)
            }
            _ => None,
        });
        Some(Outcome { block, index, error: error.map(name_of) })
    }

    /// The state after a block.
    pub(crate) fn at(&self, number: u32) -> View<'_> {
        self.store.at(number)
    }

    /// The state now.
    pub(crate) fn now(&self) -> View<'_> {
        self.at(self.height())
    }

    /// A runtime API's answer after a block: the method as `state_call` names it, arguments and answer in SCALE.
    ///
    /// # Errors
    /// A method that this chain does not offer, or arguments that are not its own.
    pub fn call(&self, method: &str, arguments: &[u8], number: u32) -> Result<Vec<u8>, runtime_api::Failure> {
        runtime_api::call(&self.at(number), method, arguments)
    }

    /// What stands under a storage key after a block.
    pub fn storage(&self, key: &[u8], number: u32) -> Option<Vec<u8>> {
        self.at(number).read(key).map(<[u8]>::to_vec)
    }

    /// What happened in a block.
    pub fn events(&self, number: u32) -> Vec<frame_system::EventRecord<RuntimeEvent, H256>> {
        frame_system::EVENTS.get(&self.at(number), &())
    }

    /// The next nonce of an account, those that wait in the pool not counted.
    pub fn nonce(&self, account: &AccountId32) -> u32 {
        frame_system::ACCOUNT.get(&self.now(), account).nonce
    }

    /// Whether the next block can include an extrinsic, its signature and the chain's own rules included.
    pub(crate) fn validity(&self, extrinsic: &Extrinsic) -> Result<(), Invalid> {
        let nonce = self.nonce(&extrinsic.signer);
        if extrinsic.nonce < nonce {
            return Err(Invalid::Stale);
        }
        let Some(birth_hash) = self.birth_hash(extrinsic.era) else { return Err(Invalid::AncientBirthBlock) };
        let spec_version = self.specification.schedule.spec_version();
        if !extrinsic.is_signed(spec_version, &self.genesis_hash(), &birth_hash) {
            return Err(Invalid::BadProof);
        }
        execution::check_before_pool(&self.now(), &extrinsic.call)?;
        if extrinsic.nonce > nonce { Err(Invalid::Future) } else { Ok(()) }
    }

    /// Whether the chain's own rules still let a waiting extrinsic in.
    pub(crate) fn still_allows(&self, extrinsic: &Extrinsic) -> bool {
        execution::check_before_pool(&self.now(), &extrinsic.call).is_ok()
    }

    /// The hash that an extrinsic of the next block signs for its era.
    fn birth_hash(&self, era: Era) -> Option<[u8; 32]> {
        if era == Era::Immortal {
            return Some(self.genesis_hash());
        }
        let next = u64::from(self.height()) + 1;
        let birth = era.birth(next);
        if birth + u64::from(BLOCK_HASH_COUNT) < next {
            return None;
        }
        Some(self.block(u32::try_from(birth).ok()?)?.hash)
    }

    /// What the next block is with these extrinsics, whose validity was checked against this state. Nothing changes.
    ///
    /// # Errors
    /// [`Error::InvalidBlock`].
    pub(crate) fn make(&self, now_ms: u64, digest: Digest, extrinsics: &[Extrinsic]) -> Result<Made, Error> {
        let head = self.head();
        let invalid = |reason: &str| Error::InvalidBlock { number: self.height(), reason: reason.to_owned() };
        let number = self.height().checked_add(1).ok_or_else(|| invalid("there are no more numbers"))?;
        if now_ms <= pallet_timestamp::NOW.get(&self.now(), &()) {
            return Err(invalid("its time is not above its parent's"));
        }
        let mut overlay = Overlay::new(self.now());
        frame_system::DIGEST.put(&mut overlay, &(), &digest);
        execution::execute(&mut overlay, number, head.hash, now_ms, extrinsics);
        let (changes, state_root) = overlay.finish(head.header.state_root.0);
        let mut bytes = vec![timestamp(now_ms)];
        bytes.extend(extrinsics.iter().map(|extrinsic| extrinsic.bytes.clone()));
        let header = Header {
            parent_hash: H256(head.hash),
            number,
            state_root: H256(state_root),
            extrinsics_root: H256(extrinsics_root(&bytes)),
            digest,
        };
        let included = extrinsics.iter().map(|extrinsic| extrinsic.hash).collect();
        Ok(Made { block: Block::new(header, bytes), changes, included })
    }

    /// Makes a block part of the chain.
    pub(crate) fn accept(&mut self, made: Made) {
        let Made { block, changes, included } = made;
        let number = block.header.number;
        self.store.commit(number, changes);
        self.numbers.insert(block.hash, number);
        // Index 0 is the author's clock.
        self.included.extend((1u32..).zip(included).map(|(index, hash)| (hash, (number, index))));
        self.blocks.push(block);
    }

    /// Does again what a block of another author, or of an earlier life, did.
    ///
    /// # Errors
    /// [`Error::InvalidBlock`] when it does not follow the head, holds an extrinsic that cannot be there, or its header
    /// says anything else than what it does.
    pub fn apply(&mut self, block: &Block) -> Result<(), Error> {
        let invalid = |reason: String| Error::InvalidBlock { number: block.header.number, reason };
        let Some((first, rest)) = block.extrinsics.split_first() else {
            return Err(invalid("it has no time".to_owned()));
        };
        let now_ms = decode_timestamp(first).ok_or_else(|| invalid("its first extrinsic is no time".to_owned()))?;
        let mut extrinsics = Vec::with_capacity(rest.len());
        let mut nonces: BTreeMap<AccountId32, u32> = BTreeMap::new();
        for bytes in rest {
            let extrinsic = Extrinsic::decode(bytes).map_err(&invalid)?;
            let expected = *nonces.entry(extrinsic.signer).or_insert_with(|| self.nonce(&extrinsic.signer));
            match self.validity(&extrinsic) {
                Ok(()) | Err(Invalid::Future) if extrinsic.nonce == expected => {}
                outcome => return Err(invalid(format!("an extrinsic cannot be in it: {outcome:?}"))),
            }
            nonces.insert(extrinsic.signer, expected.saturating_add(1));
            extrinsics.push(extrinsic);
        }
        let made = self.make(now_ms, block.header.digest.clone(), &extrinsics)?;
        if made.block != *block {
            let reason = if made.block.header.encode() == block.header.encode() { "extrinsics" } else { "header" };
            return Err(invalid(format!("its {reason} does not follow from its contents")));
        }
        self.accept(made);
        Ok(())
    }
}

/// The name of a dispatch error, as the metadata has it.
fn name_of(error: DispatchError) -> String {
    match error {
        DispatchError::Module(module) => {
            let unknown = format!("{module:?}");
            RuntimeError::of(module).map_or(unknown, RuntimeError::name)
        }
        other => format!("{other:?}"),
    }
}
