//! Handlers that a `macro_rules!` generates: its fragments reach the attributes in groups without delimiters.

use std::time::Duration;

use daebus::prelude::*;
use daebus::testing::TestApp;

macro_rules! fault_of {
    ($code:literal, $status:expr) => {
        #[derive(Debug, thiserror::Error, Serialize, Deserialize, PartialEq, Fault)]
        #[error("no")]
        #[fault(code = $code, status = $status)]
        pub struct Gone;
    };
}

fault_of!("long_gone", 410);

macro_rules! service {
    (
        $blueprint:literal, $module:ident, $doc:literal, $action:literal, $timeout:expr, $count:expr, $payload:ty,
        $answer:ty, $channel:expr, $path:literal, $methods:expr, $method:literal, $status:expr, $socket:literal,
        $schedule:expr, $seconds:expr, $cron:literal, $zone:expr, $overlap:literal, $thread:literal, $auto:expr
    ) => {
        #[blueprint($blueprint)]
        pub mod $module {
            use super::*;

            #[doc = $doc]
            #[action($action, timeout = $timeout, concurrency = $count)]
            #[route($path, methods = $methods, status = $status)]
            pub async fn double(Payload(number): Payload<$payload>) -> $answer {
                if number == 0 { Err(Gone) } else { Ok(number * 2) }
            }

            #[route("/other", methods = [$method])]
            async fn other() {}

            #[listen($channel, concurrency = $count)]
            async fn heard(Payload(number): Payload<$payload>, events: Broadcast) -> Result<(), BoxError> {
                events.send("heard", &number).await?;
                Ok(())
            }

            #[socket($socket, timeout = $timeout)]
            async fn socket() {}

            #[background($schedule, $seconds, overlap = $overlap)]
            async fn tick(events: Broadcast) -> Result<(), BoxError> {
                events.send("ticks", &1).await?;
                Ok(())
            }

            #[background("cron", cron = $cron, tz = $zone)]
            async fn cron() {}

            #[thread($thread, auto_start = $auto)]
            fn thread() {}
        }

        #[contract($blueprint)]
        pub trait Contract {
            #[action($action)]
            async fn double(number: $payload) -> $answer;
            #[event($channel)]
            fn event(number: $payload);
        }

        pub fn collected() -> daebus::Blueprint {
            #[action($channel)]
            async fn alone() {}
            blueprint_of![$blueprint; alone]
        }
    };
}

/// Another macro around it adds another group.
macro_rules! outer {
    ($name:literal, $seconds:expr) => {
        service!(
            $name, numbers, "Doubles.", "double", "2s", 3, u64, Result<u64, Gone>, "numbers", "/double",
            ["POST"], "PUT", 201, "socket", "tick", $seconds, "0 6 * * *", "UTC", "skip", "thread", false
        );
    };
}

outer!("numbers", 60);

#[tokio::test]
async fn literals_passed_through_macro_rules_reach_the_attributes() {
    let app = Daebus::new("numbers")
        .register(numbers::blueprint())
        .register(collected())
        .attach(Http::bind("127.0.0.1:0"))
        .attach(WebSocket::new());
    let app = TestApp::new(app).await;
    let caller = ContractCaller::new(app.caller());
    assert_eq!(caller.double(&4).await.unwrap(), 8);
    match numbers::Caller::new(app.caller()).double(&0).await {
        Err(CallError::Service(error)) => assert_eq!(error, Gone),
        other => panic!("{other:?}"),
    }
    app.http().post("/double").json(4).await.assert_status(201);
    app.http().put("/other").await.assert_status(200);
    let refused = app.http().post("/double").json(0).await;
    assert_eq!(refused.assert_status(410).json::<Value>()["code"], "long_gone");
    caller.event(&7).await.unwrap();
    app.published("heard").await.assert_one(json!(7));
    app.advance(Duration::from_secs(61)).await;
    app.published("ticks").await.assert_one(json!(1));
    app.finish().await;
}
