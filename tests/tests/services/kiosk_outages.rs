//! The example `kiosk` in Chromium while the services and Redis come and go.

use daebus::prelude::*;
use daebus_tests::{Browser, Page};

use crate::kiosk_browser::{Services, greenhouse, kiosk, live, readings_come};

async fn no_data(page: &mut Page) {
    page.until("document.body.dataset.state === 'stale'").await;
    assert!(page.text("#state").await.starts_with("no data since "), "{}", page.text("#state").await);
    assert_eq!(page.text("#lamp").await, "unknown");
    page.until("getComputedStyle(document.querySelector('#bulb')).opacity < 0.5").await;
}

/// Presses the button, and waits for the report that the lamp is not switched.
async fn click_fails(page: &mut Page) {
    page.click("#switch").await;
    page.until("document.querySelector('#message.failed') !== null").await;
    page.until("!document.querySelector('#switch').disabled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_service_does_not_look_live() {
    let services = Services::start();
    let browser = Browser::start();
    let mut page = services.open(&browser).await;
    live(&mut page).await;
    services.greenhouse.signal("STOP");
    no_data(&mut page).await;
    click_fails(&mut page).await;
    assert!(page.text("#message").await.starts_with("No answer"), "{}", page.text("#message").await);
    services.greenhouse.signal("CONT");
    live(&mut page).await;
    readings_come(&mut page).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_recovers_when_the_services_come_back() {
    let mut services = Services::start();
    let browser = Browser::start();
    let mut page = services.open(&browser).await;
    live(&mut page).await;
    page.click("#switch").await;
    page.until("document.querySelector('#lamp').textContent === 'on'").await;
    // A page that was loaded again would have lost this.
    page.evaluate("window.isTheSamePage = true").await;

    // The service that is shown.
    services.greenhouse.end();
    no_data(&mut page).await;
    click_fails(&mut page).await;
    services.greenhouse = greenhouse(&services.redis);
    live(&mut page).await;
    assert_eq!(page.text("#lamp").await, "off", "it is a new greenhouse");
    readings_come(&mut page).await;

    // The service that the page is connected to: killed, and then stopped.
    services.kiosk.end();
    page.until("document.body.dataset.state === 'away'").await;
    assert_eq!(page.text("#state").await, "kiosk is away");
    assert_eq!(page.evaluate("document.querySelector('#switch').disabled").await, true);
    (services.kiosk, _) = kiosk(&services.redis, &services.address);
    live(&mut page).await;
    services.kiosk.signal("TERM");
    assert!(services.kiosk.wait().success(), "{}", services.kiosk.said());
    page.until("document.body.dataset.state !== 'live'").await;
    (services.kiosk, _) = kiosk(&services.redis, &services.address);
    live(&mut page).await;
    readings_come(&mut page).await;
    assert_eq!(page.evaluate("window.isTheSamePage").await, json!(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_recovers_when_redis_comes_back() {
    let mut services = Services::start();
    let browser = Browser::start();
    let mut page = services.open(&browser).await;
    live(&mut page).await;
    page.evaluate("window.isTheSamePage = true").await;
    services.redis.kill();
    no_data(&mut page).await;
    click_fails(&mut page).await;
    services.redis.run();
    live(&mut page).await;
    readings_come(&mut page).await;
    page.click("#switch").await;
    page.until("document.querySelector('#lamp').textContent === 'on'").await;
    assert_eq!(page.evaluate("window.isTheSamePage").await, json!(true));
}
