//! The programs that `cargo xtask bench` compares. `contender` is one program with a mode for each peer and each kind of
//! load; `in_process` counts allocations; `service` is the smallest service on Redis.
//!
//! Every program prints its results as lines of a name and a number, and a server ends when its standard input does.

pub mod broadcasts;
pub mod by_hand;
pub mod calls;
pub mod growth;
pub mod load;
pub mod nats;
pub mod servers;
pub mod work;
