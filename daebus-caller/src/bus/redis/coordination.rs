//! The operations by which instances coordinate, as scripts. In a cluster, where one script can't use keys of two slots,
//! they are single commands.

use std::time::Duration;

use bytes::Bytes;
use fred::interfaces::KeysInterface;
use fred::types::{FromValue, Value};
use futures_util::future::try_join_all;

use super::RedisBus;
use super::scripts::{Script, millis, text};
use crate::bus::coordination::{Acquired, Claimed, KeyExpiry, Standing};
use crate::bus::interface::{Bus, SetOptions};
use crate::error::BusError;
use crate::wire::presence::Presence;

impl RedisBus {
    pub(super) async fn read_many(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, BusError> {
        // MGET without keys is an error.
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        if self.is_clustered {
            return try_join_all(keys.iter().map(|key| self.get(key))).await;
        }
        let values: Vec<Value> =
            self.run(move |client| async move { client.mget(keys.to_vec()).await }).await?;
        Ok(values.into_iter().map(super::plain).collect())
    }

    pub(super) async fn expiry(&self, key: &str) -> Result<KeyExpiry, BusError> {
        let millis: i64 = self.run(move |client| async move { client.pttl(key).await }).await?;
        Ok(match u64::try_from(millis) {
            Ok(millis) => KeyExpiry::After(Duration::from_millis(millis)),
            Err(_) if millis == -1 => KeyExpiry::Never,
            Err(_) => KeyExpiry::Absent,
        })
    }

    pub(super) async fn refresh_presence(
        &self,
        presence: &Presence,
        ttl: Duration,
        index_ttl: Duration,
    ) -> Result<Standing, BusError> {
        let (id, index) = (presence.id().as_str(), presence.instances_key());
        let arguments = vec![presence.mark().into(), millis(ttl), id.into(), millis(index_ttl)];
        let standing = self.script_on_presence(&self.scripts.refresh, presence, arguments).await?;
        if self.is_clustered && standing == Standing::Kept {
            self.set_add(index, id).await?;
            self.expire(index, index_ttl).await?;
        }
        Ok(standing)
    }

    pub(super) async fn amend_presence(
        &self,
        presence: &Presence,
        info: Bytes,
        ttl: Duration,
    ) -> Result<Standing, BusError> {
        let arguments = vec![presence.mark().into(), text(info), millis(ttl)];
        self.script_on_presence(&self.scripts.amend, presence, arguments).await
    }

    pub(super) async fn withdraw_presence(&self, presence: &Presence) -> Result<Standing, BusError> {
        let id = presence.id().as_str();
        let arguments = vec![presence.mark().into(), id.into()];
        let standing = self.script_on_presence(&self.scripts.withdraw, presence, arguments).await?;
        if self.is_clustered && standing == Standing::Kept {
            self.set_remove(presence.instances_key(), id).await?;
        }
        Ok(standing)
    }

    async fn script_on_presence(
        &self,
        script: &Script,
        presence: &Presence,
        arguments: Vec<Value>,
    ) -> Result<Standing, BusError> {
        let keys = [presence.info_key(), presence.instances_key()];
        let keys = if self.is_clustered { &keys[..1] } else { &keys };
        let standing: String = self.script(script, keys, arguments).await?;
        Ok(match standing.as_str() {
            "kept" => Standing::Kept,
            "lapsed" => Standing::Lapsed,
            _ => Standing::TakenOver,
        })
    }

    pub(super) async fn claim_key(
        &self,
        presence: &Presence,
        key: &str,
        ttl: Duration,
    ) -> Result<Claimed, BusError> {
        if self.is_clustered {
            return self.claim_singly(presence, key, ttl).await;
        }
        let arguments = vec![presence.mark().into(), presence.holder().into(), millis(ttl)];
        let keys = [presence.info_key(), key];
        let (outcome, by): (String, Bytes) = self.script(&self.scripts.claim, &keys, arguments).await?;
        Ok(match outcome.as_str() {
            "won" => Claimed::Won,
            "lapsed" => Claimed::Lapsed,
            _ => Claimed::Held { by: String::from_utf8_lossy(&by).into_owned() },
        })
    }

    async fn claim_singly(&self, presence: &Presence, key: &str, ttl: Duration) -> Result<Claimed, BusError> {
        let mark = presence.mark().as_bytes();
        let info = self.get(presence.info_key()).await?.unwrap_or_default();
        if !info.windows(mark.len()).any(|part| part == mark) {
            return Ok(Claimed::Lapsed);
        }
        let options = SetOptions { ttl: Some(ttl), only_if_absent: true };
        if self.set(key, presence.holder().to_owned().into(), options).await? {
            return Ok(Claimed::Won);
        }
        let by = self.get(key).await?.unwrap_or_default();
        Ok(Claimed::Held { by: String::from_utf8_lossy(&by).into_owned() })
    }

    pub(super) async fn acquire_lease(
        &self,
        key: &str,
        holder: &str,
        ttl: Duration,
    ) -> Result<Acquired, BusError> {
        let arguments = vec![holder.into(), millis(ttl)];
        let (outcome, text): (String, Bytes) = self.script(&self.scripts.acquire, &[key], arguments).await?;
        let text = String::from_utf8_lossy(&text).into_owned();
        Ok(match text.parse() {
            Ok(token) if outcome == "won" => Acquired::Won { token, value: format!("{holder}:{text}") },
            _ => Acquired::Held { by: text },
        })
    }

    pub(super) async fn renew_lease(&self, key: &str, value: &str, ttl: Duration) -> Result<bool, BusError> {
        let renewed: i64 = self.script(&self.scripts.renew, &[key], vec![value.into(), millis(ttl)]).await?;
        Ok(renewed > 0)
    }

    pub(super) async fn release_lease(&self, key: &str, value: &str) -> Result<bool, BusError> {
        let released: i64 = self.script(&self.scripts.release, &[key], vec![value.into()]).await?;
        Ok(released > 0)
    }

    async fn script<T: FromValue>(
        &self,
        script: &Script,
        keys: &[&str],
        arguments: Vec<Value>,
    ) -> Result<T, BusError> {
        let connection = self.shared.commands()?;
        let outcome = script.run(&connection, keys, arguments).await;
        outcome.map_err(|failure| self.shared.error(failure))
    }
}
