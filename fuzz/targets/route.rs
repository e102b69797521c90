#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| daebus_fuzzing::route(data));
