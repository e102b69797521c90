//! Where an extractor is used; the parameter of [`Extract`](crate::Extract).

/// A handler of a kind that this module names.
pub trait Kind: Send + Sync + 'static {}

/// A kind of handler that a message reaches.
#[diagnostic::on_unimplemented(
    message = "`Request` can't be an argument of a handler of kind `{Self}`",
    label = "not an extractor here",
    note = "only a message on the bus has an envelope: actions, workflows and listeners take `Request`"
)]
pub trait HasMessage: Kind {}

/// A handler that answers requests.
#[derive(Debug)]
pub struct Action;
/// A handler that answers requests and asks its callers questions.
#[derive(Debug)]
pub struct Workflow;
/// A handler that hears a channel.
#[derive(Debug)]
pub struct Listen;
/// A handler of messages that WebSocket clients send.
#[derive(Debug)]
pub struct Socket;
/// A handler of binary frames that WebSocket clients send.
#[derive(Debug)]
pub struct SocketBinary;
/// A handler that runs when the service starts or stops.
#[derive(Debug)]
pub struct Hook;
/// A handler that runs when another instance of the service joins or leaves.
#[derive(Debug)]
pub struct MemberHook;
/// A handler that answers HTTP requests.
#[derive(Debug)]
pub struct Route;
/// A handler that runs by the clock.
#[derive(Debug)]
pub struct Background;
/// A handler that runs for as long as the service does, or until it is told to stop.
#[derive(Debug)]
pub struct Thread;

impl Kind for Action {}
impl Kind for Workflow {}
impl Kind for Listen {}
impl Kind for Socket {}
impl Kind for SocketBinary {}
impl Kind for Hook {}
impl Kind for MemberHook {}
impl Kind for Route {}
impl Kind for Background {}
impl Kind for Thread {}
impl HasMessage for Action {}
impl HasMessage for Workflow {}
impl HasMessage for Listen {}
