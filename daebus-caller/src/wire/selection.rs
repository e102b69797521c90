//! Selection of an instance by hash: for claims, and for calls with a key.

use sha2::{Digest, Sha256};

use super::instance::InstanceId;

/// Returns the hash that names a request's claim: the first 32 hex digits of SHA-256(reply channel, NUL, request id as
/// received).
pub fn claim_hash(reply_channel: &str, request_id: &str) -> String {
    let digest = hash(reply_channel, request_id);
    let mut hex = String::with_capacity(32);
    for byte in &digest[..16] {
        for digit in [byte >> 4, byte & 15] {
            hex.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    hex
}

/// Returns an instance's place in the ranking for a claim: SHA-256(id, NUL, claim hash). The highest ranks first.
pub fn claim_rank(id: &InstanceId, claim_hash: &str) -> [u8; 32] {
    hash(id.as_str(), claim_hash)
}

/// Returns an instance's weight for a key: the first 8 bytes of SHA-256(id, NUL, key). The highest is selected.
pub fn key_weight(id: &InstanceId, key: &str) -> u64 {
    let digest = hash(id.as_str(), key);
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}

fn hash(one: &str, other: &str) -> [u8; 32] {
    Sha256::new().chain_update(one).chain_update([0]).chain_update(other).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> InstanceId {
        InstanceId::new(text).unwrap()
    }

    #[test]
    fn hashes_are_those_of_other_implementations() {
        // Computed with Python's hashlib.
        assert_eq!(claim_hash("caller:1", "\"7\""), "a1864b2287e17fc040ded23352f83013");
        assert_eq!(key_weight(&id("svc@1"), "tenant-a"), 0xbbe2_dbba_34d5_9b5d);
        assert_eq!(claim_rank(&id("svc@1"), "abc")[..4], [0x48, 0x0e, 0xe9, 0x01]);
    }

    #[test]
    fn a_key_moves_only_if_its_instance_leaves() {
        let ids: Vec<InstanceId> = (0..5).map(|n| id(&format!("svc@{n}"))).collect();
        let select =
            |ids: &[InstanceId], key: &str| ids.iter().max_by_key(|id| key_weight(id, key)).cloned().unwrap();
        let mut counts = std::collections::BTreeMap::new();
        for n in 0..1000 {
            let key = n.to_string();
            let selected = select(&ids, &key);
            if selected != ids[4] {
                assert_eq!(select(&ids[..4], &key), selected);
            }
            *counts.entry(selected).or_insert(0) += 1;
        }
        assert!(counts.len() == 5 && counts.values().all(|count| *count > 150), "{counts:?}");
    }
}
