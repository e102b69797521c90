//! Logging in: passwords as Argon2 hashes, tokens in the cache, where they end by themselves after an hour.

use argon2::Argon2;
use argon2::password_hash::rand_core::{OsRng, RngCore};
use argon2::password_hash::{self, PasswordHasher, PasswordVerifier, SaltString};
use daebus::prelude::*;
use daebus::{CacheError, Context, Extract, Failure, kind::Kind};

use crate::users::Users;

/// How long a token is good for.
const TOKEN_LIFE: Duration = Duration::from_secs(3600);

/// A password's hash with its salt and its parameters, as text.
pub(crate) type PasswordHash = String;

/// Hashes a password, which takes some tens of milliseconds: that is the point of it.
pub(crate) fn hash_password(password: &str) -> Result<PasswordHash, BoxError> {
    let salt = SaltString::generate(&mut OsRng);
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt);
    Ok(hash.map_err(|error| format!("the password can't be hashed: {error}"))?.to_string())
}

fn is_password(password: &str, hash: &str) -> bool {
    let hash = password_hash::PasswordHash::new(hash);
    hash.is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// How these handlers fail.
#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
pub(crate) enum AuthError {
    /// One sentence for both, so that nobody learns which addresses there are.
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

/// What `login` takes.
#[derive(Deserialize)]
struct Credentials {
    email: String,
    password: String,
}

/// What `login` answers.
#[derive(Serialize)]
struct LoggedIn {
    token: String,
    /// In seconds.
    expires_in: u64,
}

/// Logs in, on the bus and over HTTP. A plain `fn`, since hashing a password takes its time.
#[action("login")]
#[route("/login", methods = ["POST"])]
fn login(
    Payload(Credentials { email, password }): Payload<Credentials>,
    State(users): State<Users>,
    cache: Cache,
) -> Result<LoggedIn, AuthError> {
    let Some((user_id, hash)) = users.with_email(&email) else {
        // As long as it takes with an address that is there, or the time would tell.
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

/// Whose token it is, while it is good.
async fn verify_token(token: &str, cache: &Cache) -> Result<Option<String>, CacheError> {
    cache.get(&key(token)).await
}

/// Carries a token.
#[derive(Deserialize)]
struct Token {
    token: String,
}

/// What `verify_token` answers.
#[derive(Serialize)]
struct Verified {
    valid: bool,
    user_id: String,
}

/// Other services ask whose token it is.
#[action("verify_token")]
async fn check_token(Payload(Token { token }): Payload<Token>, cache: Cache) -> Result<Verified, AuthError> {
    let user_id = verify_token(&token, &cache).await?.ok_or(AuthError::InvalidToken)?;
    Ok(Verified { valid: true, user_id })
}

/// The user whose token stands in the header `authorization`, as `Bearer <token>`. A handler with this argument runs for
/// nobody else, on any transport.
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

/// What is for one's own eyes.
#[route("/me")]
async fn me(CurrentUser(user_id): CurrentUser) -> Value {
    json!({"user_id": user_id})
}

/// The query that a WebSocket client connects with.
#[derive(Deserialize)]
struct Connecting {
    token: Option<String>,
}

/// What a client hears when it has connected. It may stay either way.
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
