//! The speed tables; see `benches/`.
