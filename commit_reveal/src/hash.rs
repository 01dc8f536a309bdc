//! The hash form: `commit_weights`, opened with `reveal_weights`.

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest};
use parity_scale_codec::Encode;

/// What `commit_weights` carries: Blake2b-256 over SCALE of (account, mechanism's storage index, uids, values, salt, version
/// key). For the index see [`yuma::mechanisms::storage_index`]; it is the netuid for mechanism 0.
pub fn weights_hash(
    account: &[u8; 32],
    storage_index: u16,
    uids: &[u16],
    values: &[u16],
    salt: &[u16],
    version_key: u64,
) -> [u8; 32] {
    let bytes = (account, storage_index, uids, values, salt, version_key).encode();
    Blake2b::<U32>::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_argument_is_in_the_hash() {
        let hash = |account: u8, index, uids: &[u16], values: &[u16], salt: &[u16], version| {
            weights_hash(&[account; 32], index, uids, values, salt, version)
        };
        let base = hash(1, 2, &[3], &[4], &[5], 6);
        let others = [
            hash(0, 2, &[3], &[4], &[5], 6),
            hash(1, 0, &[3], &[4], &[5], 6),
            hash(1, 2, &[0], &[4], &[5], 6),
            hash(1, 2, &[3], &[0], &[5], 6),
            hash(1, 2, &[3], &[4], &[0], 6),
            hash(1, 2, &[3], &[4], &[5], 0),
            hash(1, 2, &[3, 4], &[], &[5], 6),
        ];
        assert!(others.iter().all(|other| *other != base));
    }
}
