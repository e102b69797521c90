//! The example `kiosk` in Chromium, with the example `greenhouse` in a process of its own.

use daebus::prelude::*;
use daebus_tests::{Browser, Page, Process, RedisServer, example};

/// The two services and their Redis.
pub struct Services {
    pub redis: RedisServer,
    pub greenhouse: Process,
    pub kiosk: Process,
    pub address: String,
}

impl Services {
    pub fn start() -> Self {
        let redis = RedisServer::start();
        let greenhouse = greenhouse(&redis);
        let (kiosk, address) = kiosk(&redis, "127.0.0.1:0");
        Self { redis, greenhouse, kiosk, address }
    }

    pub async fn open(&self, browser: &Browser) -> Page {
        browser.open(&format!("http://{}", self.address)).await
    }
}

pub fn greenhouse(redis: &RedisServer) -> Process {
    let process = Process::start(example("greenhouse").env("DAEBUS_URL", redis.url()));
    process.line("greenhouse is ready");
    process
}

/// Starts the kiosk; returns its address too.
pub fn kiosk(redis: &RedisServer, http: &str) -> (Process, String) {
    let kiosk = Process::start(example("kiosk").env("DAEBUS_URL", redis.url()).env("DAEBUS_HTTP", http));
    let line = kiosk.line("the kiosk is at http://");
    let address = line.trim_start_matches("the kiosk is at http://").to_owned();
    (kiosk, address)
}

pub async fn live(page: &mut Page) {
    page.until("document.body?.dataset.state === 'live' && document.body.dataset.lamp !== 'unknown'").await;
}

/// Waits for readings that weren't there.
pub async fn readings_come(page: &mut Page) {
    page.until("Number(document.querySelector('#count').textContent) > 1").await;
    let shown = "['#count', '#value'].map((id) => document.querySelector(id).textContent)";
    let before = page.evaluate(shown).await;
    assert!(before[1].as_str().is_some_and(|value| value.parse::<f64>().is_ok()), "{before}");
    page.until(&format!("document.querySelector('#count').textContent !== {}", before[0])).await;
    page.until("document.querySelector('#line').getAttribute('d')?.startsWith('M')").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_a_service_in_another_process_and_its_button_works() {
    let services = Services::start();
    let browser = Browser::start();
    let mut page = services.open(&browser).await;
    live(&mut page).await;
    assert_eq!(page.evaluate("document.title").await, "Daebus kiosk");
    assert_eq!(page.text("#state").await, "live");
    assert!(page.text(".note").await.contains("Simulated"));
    readings_come(&mut page).await;

    // The lamp is the greenhouse's: another page receives its changes too.
    let mut another = services.open(&browser).await;
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
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_fits_screens_from_320_to_1920_pixels() {
    let services = Services::start();
    let browser = Browser::start();
    let mut page = services.open(&browser).await;
    live(&mut page).await;
    readings_come(&mut page).await;
    for (width, height) in [(320, 640), (844, 390), (1920, 1080)] {
        page.resize(width, height).await;
        page.until(&format!("innerWidth === {width}")).await;
        // Nothing is cut off, to the side or below.
        let size = page
            .evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
            .await;
        assert_eq!(size, json!([width, height]));
        // Nothing overlaps, and the plot has a time axis whose labels are within it.
        page.until("document.querySelectorAll('#times span').length >= 2").await;
        let overlaps = page
            .evaluate(
                "(() => {
                    const boxes = (selector) => [...document.querySelectorAll(selector)]
                        .filter((element) => getComputedStyle(element).visibility === 'visible')
                        .map((element) => element.getBoundingClientRect());
                    const overlap = (list) => list.some((a, i) => list.slice(i + 1).some((b) =>
                        a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom));
                    const plot = document.querySelector('.plot').getBoundingClientRect();
                    const times = boxes('#times span');
                    const outside = times.some((box) => box.left < plot.left || box.right > plot.right || box.bottom > plot.bottom);
                    return [overlap(boxes('header, section')), overlap(times), outside, times.length === 0];
                })()",
            )
            .await;
        assert_eq!(overlaps, json!([false, false, false, false]), "{width} x {height}");
        assert!(page.text("#times").await.contains(':'));
        page.click("#switch").await;
        page.until("!document.querySelector('#switch').disabled").await;
    }
}
