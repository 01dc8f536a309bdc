//! Sending an extrinsic, and what became of one.
//!
//! An extrinsic is found by its signer's nonce: the first block after which the nonce is used is the one that has it, or has
//! another with that nonce. That takes a handful of questions where reading the blocks of an era would take as many as it has;
//! the blocks are read when the node does not have their states any more, and before it is said that an extrinsic can never be
//! included. What it did is read from the events of its block.

use std::sync::Arc;

use chain::{ExtrinsicReference, ExtrinsicStatus, Inclusion, SignedExtrinsic};
use domain::types::{BlockNumber, Digest};
use futures::{StreamExt, TryStreamExt, stream};
use subxt::utils::AccountId32;

use crate::error::Error;
use crate::link::{Link, Shared};
use crate::read::At;
use crate::runtime::{ALREADY_IMPORTED, account, hash_of, is_of_the_past, refusal};

/// Blocks that are read at once.
const BLOCKS_AT_ONCE: usize = 8;

/// A search for one extrinsic, up to a head.
struct Search<'a> {
    shared: &'a Shared,
    link: &'a Arc<Link>,
    reference: &'a ExtrinsicReference,
    signer: AccountId32,
    head: (BlockNumber, Digest),
}

/// Where the nonce of an extrinsic was used.
enum NonceUse {
    /// Nowhere up to the last block that could have it.
    Unused,
    /// In this block.
    Block(BlockNumber),
    /// The node does not have the states that would tell.
    Unknown,
}

/// What became of an extrinsic as of `head`.
pub(crate) async fn status(
    shared: &Shared,
    link: &Arc<Link>,
    reference: &ExtrinsicReference,
    head: (BlockNumber, Digest),
) -> Result<ExtrinsicStatus, Error> {
    let signer = account(&reference.signer)?;
    let search = Search { shared, link, reference, signer, head };
    let last = search.last();
    match search.nonce_use(last).await? {
        NonceUse::Block(block) => Ok(match search.in_block(block).await? {
            Some(inclusion) => ExtrinsicStatus::Included(inclusion),
            None => ExtrinsicStatus::Expired,
        }),
        NonceUse::Unused if last < search.final_block() => search.waiting().await,
        NonceUse::Unused | NonceUse::Unknown => match search.in_blocks(last).await? {
            Some(inclusion) => Ok(ExtrinsicStatus::Included(inclusion)),
            None if last == search.final_block() => Ok(ExtrinsicStatus::Expired),
            None => search.waiting().await,
        },
    }
}

impl Search<'_> {
    /// The last block that could ever have it.
    fn final_block(&self) -> BlockNumber {
        BlockNumber(self.reference.era.death().0.saturating_sub(1))
    }

    /// The last block so far that could have it.
    fn last(&self) -> BlockNumber {
        self.final_block().min(self.head.0)
    }

    /// The first block that could have it: the one at which its era begins is signed, so it is in a later one.
    fn first(&self) -> BlockNumber {
        BlockNumber(self.reference.era.birth.0.saturating_add(1))
    }

    async fn hash(&self, number: BlockNumber) -> Result<Digest, Error> {
        if number == self.head.0 {
            return Ok(self.head.1);
        }
        self.link.block_hash(number.0).await?.ok_or(Error::Chain(chain::Error::UnknownBlock(number)))
    }

    async fn used_after(&self, number: BlockNumber) -> Result<bool, Error> {
        let nonce = self.link.nonce(&self.signer, self.hash(number).await?).await?;
        Ok(nonce > self.reference.nonce)
    }

    /// Halves the blocks between one after which the nonce was free and one after which it is used.
    async fn nonce_use(&self, last: BlockNumber) -> Result<NonceUse, Error> {
        if last < self.first() {
            return Ok(NonceUse::Unused);
        }
        let (mut free, mut used) = (self.reference.era.birth, last);
        let end = match self.used_after(last).await {
            Ok(end) => end,
            Err(Error::Refused { .. }) => return Ok(NonceUse::Unknown),
            Err(error) => return Err(error),
        };
        if !end {
            return Ok(NonceUse::Unused);
        }
        while used.0 - free.0 > 1 {
            let middle = BlockNumber(free.0 + (used.0 - free.0) / 2);
            match self.used_after(middle).await {
                Ok(true) => used = middle,
                Ok(false) => free = middle,
                Err(Error::Refused { .. }) => return Ok(NonceUse::Unknown),
                Err(error) => return Err(error),
            }
        }
        Ok(NonceUse::Block(used))
    }

    async fn in_block(&self, number: BlockNumber) -> Result<Option<Inclusion>, Error> {
        let hash = self.hash(number).await?;
        let extrinsics = self.link.extrinsics(hash).await?;
        let place = extrinsics.iter().position(|bytes| hash_of(bytes) == self.reference.hash);
        let Some(place) = place else { return Ok(None) };
        let index = u32::try_from(place).map_err(|_| Error::decode("block", "it has more than 2^32 extrinsics"))?;
        let runtime = self.shared.runtime(self.link, hash).await?;
        let at = At { link: Arc::clone(self.link), runtime, number, hash };
        let before = self.hash(BlockNumber(number.0.saturating_sub(1))).await?;
        let ran = self.shared.runtime(self.link, before).await?;
        let outcome = ran.outcome(&at.events().await?, index)?;
        Ok(Some(Inclusion { block: number, block_hash: hash, index, outcome }))
    }

    /// Reads every block that could have it.
    async fn in_blocks(&self, last: BlockNumber) -> Result<Option<Inclusion>, Error> {
        let blocks = (self.first().0..=last.0).map(BlockNumber);
        let found = stream::iter(blocks)
            .map(|number| async move {
                let extrinsics = self.link.extrinsics(self.hash(number).await?).await?;
                let found = extrinsics.iter().any(|bytes| hash_of(bytes) == self.reference.hash);
                Ok::<_, Error>(found.then_some(number))
            })
            .buffered(BLOCKS_AT_ONCE);
        let mut found = std::pin::pin!(found);
        while let Some(block) = found.try_next().await? {
            if let Some(block) = block {
                return self.in_block(block).await;
            }
        }
        Ok(None)
    }

    /// In no block yet: in the pool, or nowhere known. A node that does not show its pool is no witness of either.
    async fn waiting(&self) -> Result<ExtrinsicStatus, Error> {
        let pool = match self.link.pending().await {
            Ok(pool) => pool,
            Err(Error::Refused { .. }) => return Ok(ExtrinsicStatus::Unknown),
            Err(error) => return Err(error),
        };
        let waits = pool.iter().any(|bytes| hash_of(bytes) == self.reference.hash);
        Ok(if waits { ExtrinsicStatus::Pending } else { ExtrinsicStatus::Unknown })
    }
}

/// Sends an extrinsic. A refusal counts only when it cannot come of the extrinsic's own success: `head` may be some blocks
/// behind the best one, which the pool goes by, so that what is in a block above `head` is known to the pool alone.
///
/// # Errors
/// [`chain::Error::Rejected`] when the pool refuses it, it is neither in the pool nor in a block, and no block used its nonce
/// that may have it.
pub(crate) async fn submit(
    shared: &Shared,
    link: &Arc<Link>,
    extrinsic: &SignedExtrinsic,
    head: (BlockNumber, Digest),
) -> Result<(), Error> {
    let (name, message) = match link.submit(&extrinsic.bytes).await {
        Ok(hash) if hash == extrinsic.hash => return Ok(()),
        Ok(hash) => return Err(Error::decode("extrinsic hash", format!("it took {} as {hash}", extrinsic.hash))),
        Err(Error::Refused { code: ALREADY_IMPORTED, .. }) => return Ok(()),
        Err(Error::Refused { method, code, message }) => match refusal(code, &message) {
            Some(name) => (name, message),
            None => return Err(Error::Refused { method, code, message }),
        },
        Err(error) => return Err(error),
    };
    // Sent before, it may be in the pool or in a block: its nonce is then taken, by itself.
    let rejected = match status(shared, link, &extrinsic.reference(), head).await? {
        ExtrinsicStatus::Included(_) | ExtrinsicStatus::Pending => false,
        ExtrinsicStatus::Expired => true,
        // Whoever used the nonce above `head`, the era decides.
        ExtrinsicStatus::Unknown => !is_of_the_past(&name) && !used_at_best(link, &extrinsic.reference()).await?,
    };
    if rejected {
        return Err(Error::Chain(chain::Error::Rejected { name, message }));
    }
    Ok(())
}

/// Whether the best block has used an extrinsic's nonce, by it or by another.
async fn used_at_best(link: &Arc<Link>, reference: &ExtrinsicReference) -> Result<bool, Error> {
    let nonce = link.nonce(&account(&reference.signer)?, link.best_hash().await?).await?;
    Ok(nonce > reference.nonce)
}
