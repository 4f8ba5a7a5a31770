//! Fuzzes a file of drills; what has to hold stands in tests/common/told.rs.
#![no_main]

#[path = "../../common/told.rs"]
#[allow(dead_code, reason = "each target uses a part of it")]
mod told;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| told::drill(bytes));
