//! When a schedule runs, and what else can be said of it.

use daebus::prelude::*;

#[background]
async fn nothing() {}

#[background("a")]
async fn no_time() {}

#[background(3600)]
async fn no_name() {}

#[background(cleanup, 3600)]
async fn name_without_quotes() {}

#[background("", 3600)]
async fn empty_name() {}

#[background("a", 3600, every = "1h")]
async fn two_intervals() {}

#[background("a", 3600, cron = "0 6 * * *")]
async fn interval_and_cron() {}

#[background("a", every = "1h", cron = "0 6 * * *")]
async fn every_and_cron() {}

#[background("a", 0)]
async fn no_interval() {}

#[background("a", -1)]
async fn negative() {}

#[background("a", HOUR)]
async fn not_written_out() {}

#[background("a", every = 60)]
async fn every_as_number() {}

#[background("a", every = "1 fortnight")]
async fn unknown_unit() {}

#[background("a", cron = "0 6 * *")]
async fn four_fields() {}

#[background("a", cron = "0 6 * * mon!")]
async fn strange_letter() {}

#[background("a", cron = "@dayly")]
async fn unknown_nickname() {}

#[background("a", cron = "0 6 * * *", tz = "Europe / Amsterdam")]
async fn no_zone() {}

#[background("a", 3600, tz = "UTC")]
async fn zone_of_an_interval() {}

#[background("a", 10, jitter = "10s")]
async fn too_much_jitter() {}

#[background("a", 10, jitter = 5)]
async fn jitter_as_number() {}

#[background("a", 10, overlap = "wait")]
async fn unknown_overlap() {}

#[background("a", 10, immediate = true)]
async fn flag_with_value() {}

#[background("a", 10, timeout = "0s")]
async fn no_timeout() {}

#[background("a", 10, intervall = 5)]
async fn unknown_argument() {}

#[background("a", 10, 20)]
async fn three_of_them() {}

#[background("a", 10)]
#[background("a", 20)]
async fn twice() {}

#[background("a", 10)]
async fn takes_a_payload(Payload(x): Payload<u8>) {
    let _ = x;
}

#[background("a", 10)]
struct NoFunction;

#[blueprint("b")]
mod b {
    use daebus::prelude::*;

    #[background("a", 10)]
    pub async fn one() {}

    #[background("a", 20)]
    pub async fn two() {}
}

fn main() {}
