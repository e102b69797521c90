//! Types under other names, where a stub goes by the name.

use daebus::prelude::*;

type Answer = Result<u8, BoxError>;
type Query = Payload<u8>;
type Steps = Progress<u8>;

#[derive(Serialize, Deserialize)]
pub struct SearchResult<T>(T);

#[derive(Serialize, Deserialize)]
pub struct DoubleResult<T, U>(T, U);

#[blueprint("guesses")]
mod guesses {
    use super::*;

    #[action("a")]
    async fn answer() -> Answer {
        Ok(7)
    }

    #[action("b")]
    async fn payload(_: Query) {}

    #[action("c")]
    async fn progress(_: Steps) {}

    #[action("d")]
    async fn said(_: Query, _: Steps) -> () {}

    #[action("e", payload = u8, progress = u8, answer = u8)]
    async fn told(_: Query, _: Steps) -> Answer {
        Ok(7)
    }
}

#[blueprint("results")]
mod results {
    use super::*;

    #[action("a")]
    async fn search() -> SearchResult<u8> {
        SearchResult(7)
    }

    #[action("b")]
    async fn search_twice() -> DoubleResult<u8, u8> {
        DoubleResult(7, 7)
    }
}

fn main() {}
