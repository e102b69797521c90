//! The example `kiosk` in Chromium.

use daebus::prelude::*;
use daebus_tests::{Browser, Page, Process, example};

/// Starts the service; returns its address too.
fn start(http: &str, web_socket: Option<&str>) -> (Process, String) {
    let mut command = example("kiosk");
    command.env("DAEBUS_HTTP", http).env_remove("DAEBUS_WS");
    if let Some(web_socket) = web_socket {
        command.env("DAEBUS_WS", web_socket);
    }
    let kiosk = Process::start(&mut command);
    let line = kiosk.line("the kiosk is at http://");
    let address = line.trim_start_matches("the kiosk is at http://").to_owned();
    (kiosk, address)
}

async fn live(page: &mut Page) {
    page.until("document.body?.dataset.connection === 'live'").await;
}

/// Waits for readings that weren't there.
async fn readings_come(page: &mut Page) {
    page.until("Number(document.querySelector('#count').textContent) > 1").await;
    let before = page
        .evaluate(
            "[document.querySelector('#value').textContent, document.querySelector('#line').getAttribute('d')]",
        )
        .await;
    assert!(before[0].as_str().is_some_and(|value| value.parse::<f64>().is_ok()), "{before}");
    assert!(before[1].as_str().is_some_and(|line| line.starts_with('M')), "{before}");
    page.until(&format!("document.querySelector('#value').textContent !== {}", before[0])).await;
    page.until(&format!("document.querySelector('#line').getAttribute('d') !== {}", before[1])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_what_the_service_says_and_its_button_works() {
    let (kiosk, address) = start("127.0.0.1:0", None);
    let browser = Browser::start();
    let mut page = browser.open(&format!("http://{address}")).await;
    live(&mut page).await;
    assert_eq!(page.evaluate("document.title").await, "Daebus kiosk");
    assert_eq!(page.text("#connection").await, "live");
    assert!(page.text(".note").await.contains("Simulated"));
    readings_come(&mut page).await;

    // The lamp is the service's: another page sees it too.
    let mut another = browser.open(&format!("http://{address}")).await;
    live(&mut another).await;
    assert_eq!((page.text("#lamp").await, another.text("#lamp").await), ("off".into(), "off".into()));
    for (lamp, button) in [("on", "Switch it off"), ("off", "Switch it on")] {
        page.click("#switch").await;
        for page in [&mut page, &mut another] {
            page.until(&format!("document.querySelector('#lamp').textContent === '{lamp}'")).await;
            assert_eq!(page.text("#switch").await, button);
        }
        page.until("!document.querySelector('#switch').disabled").await;
    }
    drop(kiosk);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_recovers_by_itself_when_the_service_comes_back() {
    // With WebSockets on a port of their own, which is another one each time.
    let (kiosk, address) = start("127.0.0.1:0", Some("127.0.0.1:0"));
    let browser = Browser::start();
    let mut page = browser.open(&format!("http://{address}")).await;
    live(&mut page).await;
    page.click("#switch").await;
    page.until("document.querySelector('#lamp').textContent === 'on'").await;
    // A page that was loaded again would have lost this.
    page.evaluate("window.isTheSamePage = true").await;

    // Killed: nothing is said, the connection breaks off.
    drop(kiosk);
    page.until("document.body.dataset.connection !== 'live'").await;
    page.until("document.querySelector('#connection').textContent === 'service is away'").await;
    assert_eq!(page.evaluate("document.querySelector('#switch').disabled").await, true);

    let (mut kiosk, _) = start(&address, Some("127.0.0.1:0"));
    live(&mut page).await;
    assert_eq!(page.text("#lamp").await, "off", "it is a new service");
    readings_come(&mut page).await;

    // Stopped: the service says goodbye.
    kiosk.signal("TERM");
    assert!(kiosk.wait().success(), "{}", kiosk.said());
    page.until("document.body.dataset.connection !== 'live'").await;
    let (_kiosk, _) = start(&address, None);
    live(&mut page).await;
    page.click("#switch").await;
    page.until("document.querySelector('#lamp').textContent === 'on'").await;
    assert_eq!(page.evaluate("window.isTheSamePage").await, json!(true));
}
