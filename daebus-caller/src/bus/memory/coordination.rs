//! The operations by which instances coordinate, on the keys of an in-process bus.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::keys::Keys;
use crate::bus::coordination::{Acquired, Claimed, Standing};
use crate::bus::interface::SetOptions;
use crate::wire::presence::Presence;

type KeyResult<T> = Result<T, &'static str>;

impl Keys {
    pub(super) fn refresh(
        &mut self,
        presence: &Presence,
        ttl: Duration,
        index_ttl: Duration,
    ) -> KeyResult<Standing> {
        let standing = self.standing(presence);
        if standing == Standing::Kept {
            self.expire(presence.info_key(), ttl);
            self.set_add(presence.instances_key(), presence.id().as_str())?;
            self.expire(presence.instances_key(), index_ttl);
        }
        Ok(standing)
    }

    pub(super) fn amend(&mut self, presence: &Presence, info: Bytes, ttl: Duration) -> KeyResult<Standing> {
        let standing = self.standing(presence);
        if standing == Standing::Kept {
            self.set(presence.info_key(), info, SetOptions { ttl: Some(ttl), only_if_absent: false })?;
        }
        Ok(standing)
    }

    pub(super) fn withdraw(&mut self, presence: &Presence) -> KeyResult<Standing> {
        let standing = self.standing(presence);
        if standing == Standing::Kept {
            self.delete(presence.info_key());
            self.set_remove(presence.instances_key(), presence.id().as_str())?;
        }
        Ok(standing)
    }

    pub(super) fn claim(&mut self, presence: &Presence, key: &str, ttl: Duration) -> KeyResult<Claimed> {
        if self.standing(presence) != Standing::Kept {
            return Ok(Claimed::Lapsed);
        }
        Ok(match self.set_if_absent(key, presence.holder().to_owned(), ttl)? {
            None => Claimed::Won,
            Some(by) => Claimed::Held { by },
        })
    }

    pub(super) fn acquire(&mut self, key: &str, holder: &str, ttl: Duration) -> KeyResult<Acquired> {
        let token = self.next_token(micros_since_epoch());
        let value = format!("{holder}:{token}");
        Ok(match self.set_if_absent(key, value.clone(), ttl)? {
            None => Acquired::Won { token, value },
            Some(by) => Acquired::Held { by },
        })
    }

    pub(super) fn renew(&mut self, key: &str, value: &str, ttl: Duration) -> bool {
        self.holds(key, value) && self.expire(key, ttl)
    }

    pub(super) fn release(&mut self, key: &str, value: &str) -> bool {
        self.holds(key, value) && self.delete(key)
    }

    fn standing(&mut self, presence: &Presence) -> Standing {
        let mark = presence.mark().as_bytes();
        match self.get(presence.info_key()) {
            Ok(None) => Standing::Lapsed,
            Ok(Some(info)) if info.windows(mark.len()).any(|part| part == mark) => Standing::Kept,
            _ => Standing::TakenOver,
        }
    }

    /// Writes an absent key, or returns the value of one that exists.
    fn set_if_absent(&mut self, key: &str, value: String, ttl: Duration) -> KeyResult<Option<String>> {
        let options = SetOptions { ttl: Some(ttl), only_if_absent: true };
        if self.set(key, value.into(), options)? {
            return Ok(None);
        }
        let by = self.get(key)?.unwrap_or_default();
        Ok(Some(String::from_utf8_lossy(&by).into_owned()))
    }

    fn holds(&mut self, key: &str, value: &str) -> bool {
        self.get(key).is_ok_and(|held| held.is_some_and(|held| held == value))
    }
}

fn micros_since_epoch() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}
