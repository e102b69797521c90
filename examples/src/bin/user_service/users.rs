//! The users: kept in memory, created and read over every transport.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use daebus::prelude::*;
use parking_lot::{Mutex, MutexGuard};
use tracing::info;

use crate::auth::{PasswordHash, hash_password};

/// Users that were inactive for longer than this are removed.
const INACTIVE: Duration = Duration::from_secs(30 * 24 * 3600);

/// The public part of a user.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct User {
    pub(crate) id: String,
    email: String,
    name: String,
    /// Seconds since 1970.
    created_at: f64,
    /// Seconds since 1970.
    last_active: f64,
}

/// All users, shared by the handlers of both blueprints.
#[derive(Debug, Clone, Default)]
pub(crate) struct Users(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    by_id: BTreeMap<String, (User, Option<PasswordHash>)>,
    created: u64,
}

impl Users {
    /// Creates a table with the user of the documentation.
    pub(crate) fn with_one() -> Result<Self, BoxError> {
        let users = Self::default();
        users.create("user@example.com".into(), "User".into(), Some(hash_password("password")?))?;
        Ok(users)
    }

    fn create(&self, email: String, name: String, password: Option<PasswordHash>) -> Result<User, UserError> {
        let mut table = self.table();
        if table.by_id.values().any(|(user, _)| user.email == email) {
            return Err(UserError::EmailTaken { email });
        }
        table.created += 1;
        let (id, created_at) = (format!("user_{}", table.created), now());
        let user = User { id: id.clone(), email, name, created_at, last_active: created_at };
        table.by_id.insert(id, (user.clone(), password));
        Ok(user)
    }

    fn get(&self, id: &str) -> Result<User, UserError> {
        let table = self.table();
        let found = table.by_id.get(id).map(|(user, _)| user.clone());
        found.ok_or_else(|| UserError::NotFound { id: id.to_owned() })
    }

    fn list(&self) -> Vec<User> {
        self.table().by_id.values().map(|(user, _)| user.clone()).collect()
    }

    /// Returns the ID and the password hash of the user with this address.
    pub(crate) fn with_email(&self, email: &str) -> Option<(String, PasswordHash)> {
        let table = self.table();
        let (user, password) = table.by_id.values().find(|(user, _)| user.email == email)?;
        Some((user.id.clone(), password.clone()?))
    }

    /// Records activity of a user.
    pub(crate) fn seen(&self, id: &str) {
        if let Some((user, _)) = self.table().by_id.get_mut(id) {
            user.last_active = now();
        }
    }

    /// Removes users that were inactive since, and returns their number.
    fn remove_inactive(&self, since: f64) -> usize {
        let users = &mut self.table().by_id;
        let before = users.len();
        users.retain(|_, (user, _)| user.last_active >= since);
        before - users.len()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock()
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// The errors of these handlers.
#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
pub(crate) enum UserError {
    #[error("User {id} not found")]
    #[fault(code = "not_found", status = 404)]
    NotFound { id: String },
    #[error("Email is required")]
    EmailRequired,
    #[error("{email} belongs to another user")]
    #[fault(status = 409)]
    EmailTaken { email: String },
    /// Reaches the caller as `internal`; the reason is logged.
    #[error(transparent)]
    #[fault(internal)]
    #[serde(skip)]
    Inside(#[from] BoxError),
}

/// The ID of a user.
#[derive(Debug, Deserialize)]
struct ById {
    id: String,
}

/// The payload of `create_user`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NewUser {
    email: String,
    name: String,
    password: Option<String>,
}

/// A message on the channel `user_events`.
#[derive(Debug, Serialize, Deserialize)]
struct UserEvent {
    #[serde(rename = "type")]
    kind: String,
    user_id: String,
}

/// A list of users. It is an object, which Python peers expect.
#[derive(Debug, Serialize)]
struct UserList {
    users: Vec<User>,
}

/// Returns a user, on the bus.
#[action("get_user")]
async fn get_user(
    Payload(ById { id }): Payload<ById>,
    State(users): State<Users>,
) -> Result<User, UserError> {
    users.get(&id)
}

/// Returns a user, over HTTP.
#[route("/users/<user_id>")]
async fn http_get_user(user_id: String, State(users): State<Users>) -> Result<User, UserError> {
    users.get(&user_id)
}

/// Creates a user, on the bus and over HTTP. A plain `fn`, since hashing a password blocks.
#[action("create_user")]
#[route("/users", methods = ["POST"], status = 201)]
fn create_user(
    Payload(new): Payload<NewUser>,
    State(users): State<Users>,
    broadcast: Broadcast,
) -> Result<User, UserError> {
    if new.email.is_empty() {
        return Err(UserError::EmailRequired);
    }
    let password = new.password.as_deref().map(hash_password).transpose()?;
    let user = users.create(new.email, new.name, password)?;
    let event = UserEvent { kind: "user_created".into(), user_id: user.id.clone() };
    if let Err(error) = daebus::block_on(broadcast.send("user_events", event)) {
        // A lost event doesn't fail the creation.
        tracing::error!(%error, user = user.id, "user event not published");
    }
    Ok(user)
}

/// Returns all users, over HTTP and over WebSockets.
#[route("/users")]
#[socket("get_users")]
async fn list_users(State(users): State<Users>) -> UserList {
    UserList { users: users.list() }
}

/// Logs events of users, including those of this service.
#[listen("user_events")]
async fn on_user_event(Payload(event): Payload<UserEvent>) {
    info!("Received user event: {} for user {}", event.kind, event.user_id);
}

/// Removes inactive users every hour.
#[background("user_cleanup", 3600)]
async fn cleanup_inactive_users(State(users): State<Users>) {
    let removed = users.remove_inactive(now() - INACTIVE.as_secs_f64());
    info!("Cleaned up {removed} inactive users");
}

/// The handlers of this file.
pub(crate) fn blueprint() -> Blueprint {
    blueprint_of!["users"; get_user, http_get_user, create_user, list_users, on_user_event, cleanup_inactive_users]
}
