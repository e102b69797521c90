//! The application on an in-process bus and a paused clock.

use std::time::Duration;

use daebus::prelude::*;
use daebus::testing::TestApp;
use my_service::{GetReading, Options, Reading, ReadingError, app, sensors};

const SILENCE: Duration = Duration::from_secs(60);

async fn start() -> TestApp {
    TestApp::new(app(Daebus::new("my_service"), &Options { silence: SILENCE })).await
}

#[tokio::test]
async fn the_latest_reading_is_returned() {
    let service = start().await;
    service.publish("sensors.attic", &Reading { value: 21.5 }).await;
    service.settle().await;
    let sensors = sensors::Caller::new(service.caller());
    let reading = sensors.get_reading(&GetReading { sensor: "attic".into() }).await.unwrap();
    assert_eq!(reading, Reading { value: 21.5 });
    service.finish().await;
}

#[tokio::test]
async fn an_unknown_sensor_is_an_error() {
    let service = start().await;
    let sensors = sensors::Caller::new(service.caller());
    match sensors.get_reading(&GetReading { sensor: "cellar".into() }).await {
        Err(CallError::Service(ReadingError::UnknownSensor { sensor })) => assert_eq!(sensor, "cellar"),
        other => panic!("{other:?}"),
    }
    service.finish().await;
}

#[tokio::test]
async fn a_silent_sensor_is_reported() {
    let service = start().await;
    service.publish("sensors.attic", &Reading { value: 21.5 }).await;
    service.advance(SILENCE / 2).await;
    service.published("my_service.silent").await.assert_none();
    service.advance(SILENCE * 2).await;
    assert!(!service.published("my_service.silent").await.is_empty());
    service.finish().await;
}
