//! Authentication: passwords as Argon2 hashes, and tokens in the cache, which expire after an hour.

use argon2::Argon2;
use argon2::password_hash::rand_core::{OsRng, RngCore};
use argon2::password_hash::{self, PasswordHasher, PasswordVerifier, SaltString};
use daebus::prelude::*;
use daebus::{CacheError, Context, Extract, Failure, kind::Kind};

use crate::users::Users;

/// The lifetime of a token.
const TOKEN_LIFE: Duration = Duration::from_secs(3600);

/// The hash of a password with its salt and its parameters, as text.
pub(crate) type PasswordHash = String;

/// Hashes a password. This takes tens of milliseconds on purpose.
pub(crate) fn hash_password(password: &str) -> Result<PasswordHash, BoxError> {
    let salt = SaltString::generate(&mut OsRng);
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt);
    Ok(hash.map_err(|error| format!("the password can't be hashed: {error}"))?.to_string())
}

fn is_password(password: &str, hash: &str) -> bool {
    let hash = password_hash::PasswordHash::new(hash);
    hash.is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// The errors of these handlers.
#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
pub(crate) enum AuthError {
    /// The same message for both cases, so that it doesn't reveal which addresses exist.
    #[error("Invalid email or password")]
    #[fault(status = 401)]
    InvalidCredentials,
    #[error("Invalid or expired token")]
    #[fault(status = 401)]
    InvalidToken,
    #[error(transparent)]
    #[fault(internal)]
    #[serde(skip)]
    Inside(#[from] BoxError),
}

impl From<CacheError> for AuthError {
    fn from(error: CacheError) -> Self {
        Self::Inside(error.into())
    }
}

/// The payload of `login`.
#[derive(Deserialize)]
struct Credentials {
    email: String,
    password: String,
}

/// The answer of `login`.
#[derive(Serialize)]
struct LoggedIn {
    token: String,
    /// In seconds.
    expires_in: u64,
}

/// Logs in, on the bus and over HTTP. A plain `fn`, since hashing a password blocks.
#[action("login")]
#[route("/login", methods = ["POST"])]
fn login(
    Payload(Credentials { email, password }): Payload<Credentials>,
    State(users): State<Users>,
    cache: Cache,
) -> Result<LoggedIn, AuthError> {
    let Some((user_id, hash)) = users.with_email(&email) else {
        // Takes as long as for an existing address, so that the duration doesn't reveal whether it exists.
        hash_password(&password)?;
        return Err(AuthError::InvalidCredentials);
    };
    if !is_password(&password, &hash) {
        return Err(AuthError::InvalidCredentials);
    }
    users.seen(&user_id);
    let token = new_token();
    daebus::block_on(cache.set_for(&key(&token), &user_id, TOKEN_LIFE))?;
    Ok(LoggedIn { token, expires_in: TOKEN_LIFE.as_secs() })
}

fn new_token() -> String {
    let mut bytes = [0; 16];
    OsRng.fill_bytes(&mut bytes);
    format!("{:032x}", u128::from_be_bytes(bytes))
}

fn key(token: &str) -> String {
    format!("user_service:token:{token}")
}

/// Returns the user of a valid token.
async fn verify_token(token: &str, cache: &Cache) -> Result<Option<String>, CacheError> {
    cache.get(&key(token)).await
}

/// The payload of `verify_token`.
#[derive(Deserialize)]
struct Token {
    token: String,
}

/// The answer of `verify_token`.
#[derive(Serialize)]
struct Verified {
    valid: bool,
    user_id: String,
}

/// Returns the user of a token to other services.
#[action("verify_token")]
async fn check_token(Payload(Token { token }): Payload<Token>, cache: Cache) -> Result<Verified, AuthError> {
    let user_id = verify_token(&token, &cache).await?.ok_or(AuthError::InvalidToken)?;
    Ok(Verified { valid: true, user_id })
}

/// The user of the token in the header `authorization: Bearer <token>`. A handler with this argument runs only for
/// authenticated requests, on every transport.
struct CurrentUser(String);

impl<K: Kind> Extract<K> for CurrentUser {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        let bearer = cx.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let token = bearer.unwrap_or_default().to_owned();
        let cache = <Cache as Extract<K>>::extract(cx).await?;
        let user =
            verify_token(&token, &cache).await.map_err(|error| Failure::internal(error.to_string()))?;
        let denied = || Fault::new("invalid_token", AuthError::InvalidToken.to_string()).with_status(401);
        user.map(Self).ok_or_else(|| denied().into())
    }
}

/// Returns the authenticated user.
#[route("/me")]
async fn me(CurrentUser(user_id): CurrentUser) -> Value {
    json!({"user_id": user_id})
}

/// The query of a WebSocket connection.
#[derive(Deserialize)]
struct Connecting {
    token: Option<String>,
}

/// The first message to a client. Clients without a valid token stay connected.
#[derive(Serialize)]
#[serde(untagged)]
enum Welcome {
    Known { authenticated: bool, user_id: String },
    Unknown { authenticated: bool, message: String },
}

/// Clients connect to `/ws?token=…`.
#[socket_connect]
async fn ws_authenticate(
    Payload(Connecting { token }): Payload<Connecting>,
    client: Client,
    cache: Cache,
) -> Result<Welcome, BoxError> {
    let unknown = |message: &str| Ok(Welcome::Unknown { authenticated: false, message: message.to_owned() });
    let Some(token) = token else { return unknown("No authentication token provided") };
    let Some(user_id) = verify_token(&token, &cache).await? else {
        return unknown("Invalid or expired token");
    };
    client.set("user_id", &user_id)?;
    Ok(Welcome::Known { authenticated: true, user_id })
}

/// The handlers of this file.
pub(crate) fn blueprint() -> Blueprint {
    blueprint_of!["auth"; login, check_token, me, ws_authenticate]
}
