//! What crosses crates: conformance, faults, interop, ui.
