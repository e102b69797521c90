//! Keys as Redis keeps them: plain values and sets, with a time to live.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::bus::coordination::KeyExpiry;
use crate::bus::interface::SetOptions;
use crate::bus::time_to_live::whole_millis;

/// Redis's words, which people search for.
const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_A_NUMBER: &str = "ERR value is not an integer or out of range";
const OVERFLOW: &str = "ERR increment or decrement would overflow";
const NO_TIME: &str = "ERR invalid expire time in 'set' command";
const NO_MEMORY: &str = "OOM command not allowed when used memory > 'maxmemory'.";

/// Below this many keys looking for expired ones isn't worth the while.
const FEW: usize = 64;

#[derive(Default)]
pub(super) struct Keys {
    entries: HashMap<String, StoredKey>,
    /// Expired keys are looked for once there are this many, which is twice what the last look left: a constant
    /// price a key, and never more expired ones than living.
    sweep_at: usize,
    /// The last fencing token.
    last_token: u64,
    /// Writes fail as on a server that is out of memory.
    pub(super) refuses_writes: bool,
}

struct StoredKey {
    value: StoredValue,
    expires: Option<Instant>,
}

enum StoredValue {
    Plain(Bytes),
    Set(HashSet<String>),
}

impl Keys {
    pub(super) fn get(&mut self, key: &str) -> Result<Option<Bytes>, &'static str> {
        match self.living(key) {
            None => Ok(None),
            Some(StoredKey { value: StoredValue::Plain(value), .. }) => Ok(Some(value.clone())),
            Some(_) => Err(WRONG_TYPE),
        }
    }

    pub(super) fn set(&mut self, key: &str, value: Bytes, options: SetOptions) -> Result<bool, &'static str> {
        if options.ttl.is_some_and(|ttl| ttl.is_zero()) {
            return Err(NO_TIME);
        }
        if self.refuses_writes {
            return Err(NO_MEMORY);
        }
        if options.only_if_absent && self.living(key).is_some() {
            return Ok(false);
        }
        self.insert(
            key,
            StoredKey { value: StoredValue::Plain(value), expires: options.ttl.and_then(from_now) },
        );
        Ok(true)
    }

    pub(super) fn delete(&mut self, key: &str) -> bool {
        let was_there = self.living(key).is_some();
        self.entries.remove(key);
        was_there
    }

    pub(super) fn increment(&mut self, key: &str, by: i64) -> Result<i64, &'static str> {
        let Some(entry) = self.living(key) else {
            self.insert(key, StoredKey { value: StoredValue::Plain(by.to_string().into()), expires: None });
            return Ok(by);
        };
        let StoredValue::Plain(value) = &mut entry.value else { return Err(WRONG_TYPE) };
        let sum = number(value).ok_or(NOT_A_NUMBER)?.checked_add(by).ok_or(OVERFLOW)?;
        *value = sum.to_string().into();
        Ok(sum)
    }

    pub(super) fn expire(&mut self, key: &str, ttl: Duration) -> bool {
        let Some(entry) = self.living(key) else { return false };
        entry.expires = from_now(ttl);
        true
    }

    pub(super) fn time_to_live(&mut self, key: &str) -> KeyExpiry {
        match self.living(key) {
            None => KeyExpiry::Absent,
            Some(StoredKey { expires: None, .. }) => KeyExpiry::Never,
            Some(StoredKey { expires: Some(at), .. }) => {
                KeyExpiry::After(at.saturating_duration_since(Instant::now()))
            }
        }
    }

    /// Returns a fencing token: `now`, or a larger number if the clock has not advanced since the last one.
    pub(super) fn next_token(&mut self, now: u64) -> u64 {
        self.last_token = now.max(self.last_token + 1);
        self.last_token
    }

    pub(super) fn set_add(&mut self, key: &str, member: &str) -> Result<bool, &'static str> {
        if self.refuses_writes {
            return Err(NO_MEMORY);
        }
        if let Some(set) = self.living_set(key)? {
            return Ok(set.insert(member.to_owned()));
        }
        let set = HashSet::from([member.to_owned()]);
        self.insert(key, StoredKey { value: StoredValue::Set(set), expires: None });
        Ok(true)
    }

    pub(super) fn set_remove(&mut self, key: &str, member: &str) -> Result<bool, &'static str> {
        let Some(set) = self.living_set(key)? else { return Ok(false) };
        let was_there = set.remove(member);
        if set.is_empty() {
            self.entries.remove(key);
        }
        Ok(was_there)
    }

    pub(super) fn set_members(&mut self, key: &str) -> Result<Vec<String>, &'static str> {
        Ok(self.living_set(key)?.map(|set| set.iter().cloned().collect()).unwrap_or_default())
    }

    fn living_set(&mut self, key: &str) -> Result<Option<&mut HashSet<String>>, &'static str> {
        match self.living(key) {
            None => Ok(None),
            Some(StoredKey { value: StoredValue::Set(set), .. }) => Ok(Some(set)),
            Some(_) => Err(WRONG_TYPE),
        }
    }

    /// The entry, unless it has expired; then it goes.
    fn living(&mut self, key: &str) -> Option<&mut StoredKey> {
        if self.entries.get(key)?.is_expired(Instant::now()) {
            self.entries.remove(key);
        }
        self.entries.get_mut(key)
    }

    fn insert(&mut self, key: &str, entry: StoredKey) {
        if self.entries.len() >= self.sweep_at.max(FEW) {
            let now = Instant::now();
            self.entries.retain(|_, entry| !entry.is_expired(now));
            self.sweep_at = self.entries.len() * 2;
        }
        self.entries.insert(key.to_owned(), entry);
    }
}

impl StoredKey {
    fn is_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// `None`: further off than the clock reaches, so never.
fn from_now(ttl: Duration) -> Option<Instant> {
    Instant::now().checked_add(Duration::from_millis(whole_millis(ttl)))
}

/// A number as Redis takes it: no sign but a minus, no leading zeros, no spaces.
fn number(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_ttl(seconds: u64) -> SetOptions {
        SetOptions { ttl: Some(Duration::from_secs(seconds)), only_if_absent: false }
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_lives_as_long_as_told_on_tokios_clock() {
        let mut keys = Keys::default();
        keys.set("k", Bytes::from("v"), with_ttl(10)).unwrap();
        tokio::time::advance(Duration::from_millis(9_999)).await;
        assert!(keys.get("k").unwrap().is_some());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(keys.get("k").unwrap().is_none());
        assert!(keys.entries.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn expired_keys_that_nobody_asks_for_do_not_pile_up() {
        let mut keys = Keys::default();
        for n in 0..10_000 {
            keys.set(&format!("k{n}"), Bytes::new(), with_ttl(1)).unwrap();
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        assert!(keys.entries.len() <= 2 * FEW, "{} left", keys.entries.len());
    }

    #[test]
    fn a_number_is_what_redis_takes_for_one() {
        for (text, expected) in [
            ("0", Some(0)),
            ("-7", Some(-7)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("+1", None),
            ("01", None),
            (" 1", None),
            ("1.0", None),
            ("-0", None),
            ("", None),
        ] {
            assert_eq!(number(text.as_bytes()), expected, "{text:?}");
        }
    }
}
