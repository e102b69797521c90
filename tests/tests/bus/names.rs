//! The macro crate has the protocol's rules for names a second time, since it can't depend on the crate that has them
//! first. Both are run over the same names here: the macros' copy is compiled in as it stands.

#![allow(missing_docs)]

use daebus_caller::wire::{Channel, FaultCode, ServiceName};

#[allow(dead_code, unreachable_pub)]
#[path = "../../../daebus-macros/src/names.rs"]
mod of_macros;

#[test]
fn the_reserved_codes_are_the_same() {
    assert_eq!(of_macros::RESERVED_CODES, FaultCode::ALL.map(FaultCode::as_str));
}

#[test]
fn channels_and_services_are_the_same() {
    let long = "x".repeat(256);
    let most = "ä".repeat(127);
    let candidates = [
        "",
        "users",
        "sensor.*",
        "sensor.[ab]?",
        "a b",
        "a\nb",
        "a\u{7f}",
        "ünïcode",
        "daebus:x",
        "daebus",
        "__keyspace@0__:x",
        "__keyevent@0__:x",
        "__key",
        "caller:1",
        "caller",
        "x.responses",
        ".responses",
        "responses",
        "x.workflows",
        "$users",
        "us$ers",
        long.as_str(),
        most.as_str(),
    ];
    for name in candidates {
        assert_eq!(of_macros::check_channel(name).is_ok(), Channel::new(name).is_ok(), "channel {name:?}");
        assert_eq!(
            of_macros::check_service(name).is_ok(),
            ServiceName::new(name).is_ok(),
            "service {name:?}"
        );
    }
}
