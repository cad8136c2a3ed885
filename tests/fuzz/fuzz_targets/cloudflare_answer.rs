//! An answer of Cloudflare's, read as the answer to every call that ipai makes.
#![no_main]

use ipai_fuzz::{Wire, one_in_eight, report_remote, stage};
use libfuzzer_sys::fuzz_target;

const TOKEN: &str = "t0ken-that-is-shown-nowhere";

fuzz_target!(|bytes: &[u8]| {
    static SCOPE: std::sync::OnceLock<ipai_core::Scope> = std::sync::OnceLock::new();
    let scope = SCOPE.get_or_init(|| stage().scope_of("cloudflare"));
    let wire = Wire::read(bytes);
    let read = || {
        let Wire { status, headers, body } = &wire;
        ipai_cloudflare::read_recorded(scope, *status, headers, body, TOKEN)
    };
    let reading = read();
    for failure in &reading.failures {
        assert!(!failure.cause.contains(TOKEN), "{failure:?}");
    }
    reading.failures.first().into_iter().for_each(|failure| report_remote(failure, false));
    if one_in_eight(bytes) {
        reading.failures.iter().for_each(|failure| report_remote(failure, true));
        assert_eq!(reading.live.digest(), read().live.digest(), "read twice, seen differently");
    }
});
